"""What must hold for a page in a browser: nothing is cut, no label is small or covered."""

from tests.analysis.report.page_structure import SMALLEST

WIDTHS = (1280, 768, 390)  # a desktop, a tablet, a phone
PAPERS = {(False, "rgb(255, 255, 255)"), (True, "rgb(23, 25, 28)")}
MEASURE = """(() => {
  const sizes = [], cut = [], covered = [];
  const shown = element => element.textContent.trim() || element.outerHTML.slice(0, 80);
  for (const svg of document.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect(), labels = [];
    if (!box.width) continue;
    for (const shape of svg.querySelectorAll("text, path, use, rect")) {
      const r = shape.getBoundingClientRect();
      if (shape.closest("defs, [clip-path]") || !r.width && !r.height) continue;
      if (r.left < box.left - 2 || r.right > box.right + 2
          || r.top < box.top - 2 || r.bottom > box.bottom + 2) cut.push(shown(shape));
      if (shape.tagName != "text") continue;
      const scale = box.width / svg.viewBox.baseVal.width;
      sizes.push(parseFloat(getComputedStyle(shape).fontSize) * scale);
      const turned = /rotate\\(-?[1-9]/.test(shape.getAttribute("transform") ?? "");
      if (!turned) labels.push([shape, r]);  // of others the box is larger than the letters
    }
    labels.forEach(([label, a], i) => labels.slice(0, i).forEach(([other, b]) => {
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 1 && height > 4) covered.push(`${shown(label)} / ${shown(other)}`);
    }));
  }
  for (const block of document.querySelectorAll("p, h1, h2, figure, .tiles, .strip, dl")) {
    if (block.scrollWidth > block.clientWidth + 1) cut.push(shown(block));
  }
  return {
    labels: sizes.length, smallest: Math.min(...sizes), largest: Math.max(...sizes), cut, covered,
    width: document.documentElement.scrollWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    images: [...document.images].every(image => image.complete && image.naturalWidth > 0),
  };
})()"""


def check_layout(browser, file):
    """Lay a page out at three widths in both colour schemes, and check what is seen."""
    browser.open(file)
    assert browser.problems == []
    papers = set()
    for width in WIDTHS:
        for dark in (False, True):
            browser.resize(width, dark=dark)
            found = browser.run(MEASURE)
            assert found["labels"] > 50
            assert SMALLEST - 0.01 <= found["smallest"] <= found["largest"] < 20
            assert found["cut"] == []
            assert found["covered"] == []
            assert found["width"] <= width  # only boxes scroll, not the page
            assert found["images"]
            papers.add((dark, found["paper"]))
    assert papers == PAPERS
