"""A browser for tests: opens pages at a width and in a colour scheme, runs scripts, takes pictures.

Chromium is driven by its DevTools protocol (chromedevtools.github.io/devtools-protocol) over two
pipes, JSON messages that end with a zero byte. One process opens all pages. It resolves no names,
so nothing is loaded from elsewhere; what a page asks for is recorded all the same.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60.0  # seconds for one answer
_AT_HOME = ("file:", "data:", "blob:", "about:")
_SETTLED = """(async () => {
  await document.fonts.ready;
  if (window.MathJax?.startup) await MathJax.startup.promise;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
})()"""


class Browser:
    """A running Chromium with one tab.  `with Browser(folder) as browser:` ends it."""

    def __init__(self, profile: Path):
        if PROGRAM is None:
            raise FileNotFoundError("Chromium is not installed")
        theirs, self._out = os.pipe()
        self._in, answers = os.pipe()
        # The browser reads from descriptor 3 and writes to 4.
        shell = ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{answers}', "browser"]
        self._process = subprocess.Popen(
            [*shell, PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(theirs, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        os.close(answers)
        self._rest, self._last, self._session = b"", 0, ""
        self._events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)  # at the end of its input the browser leaves
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        os.close(self._in)

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol.  -> its result; events meanwhile are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._last:
            self._events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, url: str, width: int, height: int, *, dark: bool = False) -> list[str]:
        """Open a page and wait until it is laid out.  -> what went wrong in it, as lines."""
        self._events.clear()
        self.resize(width, height, dark=dark)
        self.call("Page.navigate", url=url)
        while not any(e.get("method") == "Page.loadEventFired" for e in self._events):
            self._events.append(self._receive())
        self.run(_SETTLED)
        return list(dict.fromkeys(filter(None, map(_complaint, self._events))))

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the page another size or colour scheme."""
        size = {"width": width, "height": height, "screenWidth": width, "screenHeight": height}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1,
                  mobile=width < 600)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str) -> Any:
        """Run a script in the page.  -> its value, of which a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True,
                           returnByValue=True)  # fmt: skip
        if "exceptionDetails" in answer:
            raise RuntimeError(_words(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Write what the window shows, or the whole page, as a PNG file."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError(f"the browser is silent for {PATIENCE:.0f} s")
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


def _complaint(event: dict[str, Any]) -> str:
    """Say what an event complains about; "" if it does not."""
    method, about = event.get("method"), event.get("params", {})
    if method == "Runtime.exceptionThrown":
        return f"exception: {_words(about['exceptionDetails'])}"
    if method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
        words = (str(a.get("value", a.get("description", ""))) for a in about["args"])
        return f"console {about['type']}: {' '.join(words)}"
    if method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
        return f"log: {about['entry']['text']} {about['entry'].get('url', '')}".rstrip()
    if method == "Network.requestWillBeSent":
        url = about["request"]["url"]
        return "" if url.startswith(_AT_HOME) else f"asks for {url}"
    return ""


def _words(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description", details["text"]))
