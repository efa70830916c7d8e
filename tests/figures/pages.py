"""Where the pages are, and what holds for each of them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "docs" / "book"
FIGURES = BOOK / "figures"
PAGES = sorted(path.stem for path in FIGURES.glob("*.html") if path.stem != "index")

# Texts whose contrast with the ground behind them is below 4.5 (WCAG 2.2, 1.4.3).
FAINT_TEXTS = """(() => {
  const channels = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92
                                                        : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    if (element.dataset.ground) { // the colour of a shape under the text
      const code = getComputedStyle(element).getPropertyValue(`--${element.dataset.ground}`).trim();
      return [1, 3, 5].map((i) => parseInt(code.slice(i, i + 2), 16));
    }
    for (let e = element; e; e = e.parentElement) {
      const rgba = channels(getComputedStyle(e).backgroundColor);
      if (rgba.length === 3 || rgba[3] > 0) return rgba.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    if (element.closest(':disabled, label:has(:disabled), script, style, option')) continue;
    const style = getComputedStyle(element);
    const ink = channels(element.namespaceURI.endsWith('svg') ? style.fill : style.color);
    const both = [luminance(ink.slice(0, 3)), luminance(ground(element))];
    const [dark, light] = both.sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) faint.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return faint;
})()"""

# Curves and dots that go beyond the left or the right end of the axis below them.
BEYOND_AXES = """(() => {
  const beyond = [];
  for (const svg of document.querySelectorAll('svg')) {
    const lines = svg.querySelectorAll('.axis[d*=H]');
    if (!lines.length) continue;
    const axis = lines[0].getBBox();
    for (const shape of svg.querySelectorAll('path:not(.axis), circle')) {
      const { x, width } = shape.tagName === 'circle'
        ? { x: shape.cx.baseVal.value, width: 0 } : shape.getBBox();
      if (x < axis.x - 0.5 || x + width > axis.x + axis.width + 0.5) {
        beyond.push(`#${svg.id}: ${x} to ${x + width}`);
      }
    }
  }
  return beyond;
})()"""

# The element with the focus, by its id or name; '' if none has it or the Tab key begins anew.
FOCUSED = """(() => {
  const e = document.activeElement;
  if (e === document.body || 'seen' in e.dataset) return '';
  e.dataset.seen = '';
  return e.id || e.name || e.tagName.toLowerCase();
})()"""
