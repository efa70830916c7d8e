"""Every page of the built book in a browser without a network, wide and narrow, light and dark.

    python -m tests.book.open_pages                           the book in build/book/html
    python -m tests.book.open_pages --only 'tutorials/0*'     some of its pages
    python -m tests.book.open_pages --pictures DIR            also PNG files of what they look like

A page is at fault if it writes to the console, asks for anything outside the book, is wider than
the window, lacks a picture or a formula, or has letters that are too small or too pale to read.
Ends with 1 if any is. Needs Chromium and a book, which `tervit book --no-open` builds.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.browser import Browser, find_browser
from tests.figures.pages import FAINT_TEXTS

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
FRAME = {"frame on a phone": (340, 844)}  # in which a page shows a figure that moves
WORD = "threshold"  # that the search must find
CHECK = """(async () => {
  const faults = [], root = document.documentElement, wide = screen.width;
  const name = e => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "")
    + [...e.classList].map(c => "." + c).join("");
  if (root.scrollWidth > wide) {
    const over = [...document.body.querySelectorAll("*")].filter(e => {
      if (e.getBoundingClientRect().right <= wide + 1) return false;
      for (let p = e.parentElement; p; p = p.parentElement)
        if (getComputedStyle(p).overflowX != "visible") return false;
      return true;
    });
    faults.push(`${root.scrollWidth - wide} px wider than the window: `
      + over.slice(-2).map(name).join(", "));
  }
  for (const image of document.images) {
    image.loading = "eager";
    try { await image.decode(); } catch { faults.push("no picture " + image.src); }
  }
  for (const e of document.querySelectorAll(".math"))
    if (!e.querySelector("mjx-container")) faults.push("no formula: " + e.textContent.slice(0, 40));
  for (const e of document.querySelectorAll("mjx-merror, [data-mml-node=merror]"))
    faults.push("wrong formula: " + e.textContent.slice(0, 40));

  const seen = new Set(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; text = texts.nextNode();) {
    const e = text.parentElement;
    if (!text.data.trim() || e.closest("script, style, noscript, svg, mjx-container")) continue;
    if (!e.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const size = parseFloat(getComputedStyle(e).fontSize), key = name(e) + size;
    if (!size || size >= 10 || seen.has(key)) continue;
    seen.add(key);
    faults.push(`letters of ${size.toFixed(1)} px: ${name(e)} "${text.data.trim().slice(0, 20)}"`);
  }
  return faults;
})()"""
FOUND = """new Promise(done => {
  const results = () => document.querySelectorAll("ul.search li").length;
  const wait = left => results() || !left ? done(results()) : setTimeout(wait, 100, left - 1);
  wait(100);
})"""


def faults_of(browser: Browser, url: str, name: str, pictures: Path | None) -> Iterator[str]:
    """Open a page in all settings; give the faults as lines, each once."""
    known: dict[str, list[str]] = {}
    sizes = SIZES | FRAME if name.startswith("figures/") else SIZES
    for device, (width, height) in sizes.items():
        browser.open(url, width, height)
        complaints = list(dict.fromkeys(browser.problems))
        if "?q=" in url and not browser.run(FOUND):
            complaints.append(f'the search finds no "{WORD}"')
        for dark in (False, True):
            browser.resize(width, height, dark)
            setting = f"{device}, {'dark' if dark else 'light'}"
            faults = [] if dark else complaints
            faults += browser.run(CHECK)
            faults += [f"too pale: {text}" for text in dict.fromkeys(browser.run(FAINT_TEXTS))]
            for fault in faults:
                known.setdefault(fault, []).append(setting)
            if pictures:
                file = f"{name} {setting}.png".translate(str.maketrans("/?", "__", ","))
                browser.screenshot(pictures / file)
    for fault, settings in known.items():
        yield f"{name} ({'; '.join(settings)}): {fault}"


def addresses(book: Path, only: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the address of each page, and of one search."""
    for file in sorted(book.rglob("*.html")):
        name = file.relative_to(book)
        if name.match(only):
            yield name.as_posix(), file.as_uri()
            if name.name == "search.html":
                yield f"{name}?q={WORD}", f"{file.as_uri()}?q={WORD}"


def main(arguments: list[str] | None = None) -> int:
    """Open all pages.  -> 1 if any has a fault, 2 if there is nothing to open."""
    parser = argparse.ArgumentParser(description="Open every page of the book in a browser.")
    parser.add_argument("book", nargs="?", type=Path, default=Path("build/book/html"))
    parser.add_argument("--only", default="*", metavar="PATTERN", help="pages, as docs/*.html")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write PNG files there")
    args = parser.parse_args(arguments)
    pages = list(addresses(args.book.absolute(), args.only))
    if not pages or find_browser() is None:
        missing = "Chromium is not installed" if pages else f"no page in {args.book}; build it with"
        print(missing if pages else f"{missing}: tervit book --no-open", file=sys.stderr)
        return 2
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    count = 0
    with Browser() as browser:
        for number, (name, url) in enumerate(pages, 1):
            for fault in faults_of(browser, url, name, args.pictures):
                print(fault, flush=True)
                count += 1
            if sys.stderr.isatty() or number % 20 == 0:
                print(f"{number} of {len(pages)} pages", file=sys.stderr)
    print(f"{len(pages)} pages, {len(SIZES)} sizes, light and dark: {count or 'no'} faults")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
