"""The page in a real browser: nothing is cut on a phone, and both schemes have their own colours.

A browser that lays out a page 390 pixels wide is needed: Chromium, where it is installed. A script
in a copy of the page measures it; the report itself has none.
"""

import json
import re
import shutil
import subprocess

import pytest

from tests.analysis.report.page_structure import SMALLEST

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=4000", "--dump-dom",
)  # fmt: skip
MEASURE = """
const frame = document.querySelector("iframe");
frame.onload = () => {
  const page = frame.contentDocument, letters = [], cut = [];
  for (const text of page.querySelectorAll("svg text")) {
    if (!text.getClientRects().length || !text.textContent) continue;
    const svg = text.ownerSVGElement, box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width, r = text.getBoundingClientRect();
    letters.push(parseFloat(getComputedStyle(text).fontSize) * scale);
    if (r.left < box.left - 2 || r.right > box.right + 2) cut.push(text.textContent);
  }
  const root = page.documentElement;
  document.body.innerHTML = "<pre>" + JSON.stringify({
    letters: letters.length, smallest: Math.min(...letters), cut,
    width: root.scrollWidth, paper: getComputedStyle(page.body).backgroundColor,
    images: [...page.images].every(image => image.complete && image.naturalWidth > 0),
  }) + "</pre>";
};
frame.srcdoc = PAGE;
"""


@pytest.fixture
def measured(finished, tmp_path):
    """Lay the page out; `scheme` is 0 for dark and 1 for light.  -> what the script finds."""
    if BROWSER is None:
        pytest.skip("lays out the page in Chromium, which is not installed")

    def measure(width, scheme):
        page = json.dumps(finished.page).replace("</", "<\\/")
        frame = f'<iframe style="border:0" width="{width}" height="20000"></iframe>'
        script = f"<script>{MEASURE.replace('PAGE', page)}</script>"
        file = tmp_path / f"{width}-{scheme}.html"
        file.write_text(f'<meta charset="utf-8"><body>{frame}{script}', "utf-8")
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        colours = f"--blink-settings=preferredColorScheme={scheme}"
        done = subprocess.run(
            [BROWSER, *FLAGS, profile, colours, file.as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return json.loads(re.search(r"<pre>(.*)</pre>", done.stdout)[1])

    return measure


@pytest.mark.parametrize("width", [390, 768])
def test_nothing_is_cut_and_labels_can_be_read(measured, width):
    found = measured(width, 1)
    assert found["letters"] > 50
    assert found["smallest"] >= SMALLEST - 0.01
    assert found["cut"] == []
    assert found["width"] <= width  # only boxes scroll, not the page
    assert found["images"]


def test_light_and_dark_differ(measured):
    assert measured(390, 1)["paper"] == "rgb(255, 255, 255)"
    assert measured(390, 0)["paper"] == "rgb(23, 25, 28)"
