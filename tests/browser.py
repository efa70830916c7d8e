"""A real browser for tests of pages: Chromium, driven through two pipes.

Chromium reads commands and writes answers as JSON texts, each ended by a zero byte (Chrome DevTools
Protocol, `--remote-debugging-pipe`). Nothing but the standard library is needed. It resolves no
names, so nothing is loaded from elsewhere; what a page asks for is noted all the same.
"""

import json
import os
import shutil
import signal
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
    "--force-color-profile=srgb", "--remote-debugging-pipe",
]  # fmt: skip
SETTLED = """(async () => {
  await document.fonts.ready;
  if (window.MathJax?.startup) await MathJax.startup.promise;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
})()"""
KEYS = {  # name: (character, Windows' number)
    "Tab": ("", 9), "Enter": ("\r", 13), " ": (" ", 32), "Home": ("", 36), "End": ("", 35),
    "ArrowLeft": ("", 37), "ArrowUp": ("", 38), "ArrowRight": ("", 39), "ArrowDown": ("", 40),
}  # fmt: skip


def find_browser() -> str | None:
    """Return the path of a browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser with one page. Use as a context manager."""

    def __init__(self) -> None:
        path = find_browser()
        assert path is not None
        self.profile = tempfile.mkdtemp(prefix="tervit-browser-")
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        # Chromium expects the pipes as files 3 and 4.
        pipes = [(os.POSIX_SPAWN_DUP2, to_read, 3), (os.POSIX_SPAWN_DUP2, to_write, 4)]
        silent = os.open(os.devnull, os.O_RDWR)
        quiet = [(os.POSIX_SPAWN_DUP2, silent, n) for n in (1, 2)]
        arguments = [path, *OPTIONS, f"--user-data-dir={self.profile}"]
        self._process = os.posix_spawn(
            path, arguments, os.environ, file_actions=[*pipes, *quiet], setpgroup=0
        )
        for end in (to_read, to_write, silent):
            os.close(end)
        self._buffer, self._number, self._session = b"", 0, None
        self.problems: list[str] = []  # what scripts complain of, requests that leave the machine
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        attached = self.command("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.command(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        os.close(self._read)
        os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        shutil.rmtree(self.profile, ignore_errors=True)

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        while True:
            answer = self._next_message()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next_message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, details: dict[str, Any]) -> None:
        """Note what no page may do."""
        if event == "Runtime.exceptionThrown":
            thrown = details["exceptionDetails"]
            self.problems.append(thrown.get("exception", {}).get("description", thrown["text"]))
        elif event == "Runtime.consoleAPICalled" and details["type"] in ("error", "warning"):
            words = (str(a.get("value", a.get("description", ""))) for a in details["args"])
            self.problems.append(f"console {details['type']}: {' '.join(words)}")
        elif event == "Log.entryAdded" and details["entry"]["level"] in ("error", "warning"):
            self.problems.append(details["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            address = details["request"]["url"]
            if not address.startswith(("file:", "data:", "about:", "blob:")):
                self.problems.append(f"a request to {address}")

    def open(
        self, page: Path | str, width: int = 1280, height: int = 900, dark: bool = False
    ) -> None:
        """Open a page from a file or an address, and wait until it is laid out."""
        self.problems.clear()
        self.resize(width, height, dark)
        address = page.resolve().as_uri() if isinstance(page, Path) else page
        self.command("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")
        self.run(SETTLED)

    def resize(self, width: int, height: int = 900, dark: bool = False) -> None:
        """Make the window as wide as a desktop's or a phone's, light or dark."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, screenWidth=width, screenHeight=height,
            deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def run(self, script: str) -> Any:
        """Evaluate an expression of JavaScript, wait if it is a promise, return its value."""
        answer = self.command(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def run_in_frame(self, script: str) -> Any:
        """Evaluate an expression in the first frame of the page."""
        [child, *_] = self.command("Page.getFrameTree")["frameTree"]["childFrames"]
        world = self.command("Page.createIsolatedWorld", frameId=child["frame"]["id"])
        answer = self.command(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            contextId=world["executionContextId"],
        )
        return answer["result"].get("value")

    def wait_for(self, condition: str, attempts: int = 600) -> None:
        """Wait until an expression is true: up to a minute."""
        for _ in range(attempts):
            if self.run(condition):
                return
            self.run("new Promise((done) => setTimeout(done, 100))")
        raise RuntimeError(f"never true: {condition}")

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        found: str = self.run(f"document.querySelector({json.dumps(selector)}).textContent")
        return found

    def press(self, key: str, times: int = 1) -> None:
        """Press a key, as a person does; what has the focus gets it."""
        character, number = KEYS[key]
        same = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": number}
        for _ in range(times):
            self.command("Input.dispatchKeyEvent", type="keyDown", text=character, **same)
            self.command("Input.dispatchKeyEvent", type="keyUp", **same)

    def click(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        """Click on an element, at a fraction of its width and height."""
        found = json.dumps(selector)
        self.run(f"document.querySelector({found}).scrollIntoView({{block: 'center'}})")
        box = self.run(f"document.querySelector({found}).getBoundingClientRect().toJSON()")
        place = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
        for kind in ("mousePressed", "mouseReleased"):
            self.command(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place
            )

    def set(self, selector: str, value: float | str) -> None:
        """Give an input a value, as a drag of a slider or a choice does."""
        self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            f" e.value = {json.dumps(str(value))};"
            " e.dispatchEvent(new Event('input', {bubbles: true}));"
            " e.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def choose_file(self, selector: str, file: Path) -> None:
        """Choose a file in an input of files."""
        found = self.command(
            "Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})"
        )
        self.command(
            "DOM.setFileInputFiles", files=[str(file)], objectId=found["result"]["objectId"]
        )

    def screenshot(self, file: Path) -> None:
        """Save the whole page as PNG."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.command("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file.write_bytes(b64decode(data["data"]))
