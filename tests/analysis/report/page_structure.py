"""What must hold for every page: nothing from elsewhere, colours of the theme, readable labels."""

import re
from html.parser import HTMLParser

CONTENT_OF_A_PHONE = 350  # CSS pixels: 390 less the padding of the page
SMALLEST = 10  # CSS pixels of a letter
_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl")
_VOID = {"meta", "link", "img", "br", "path", "use"}


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self.open)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)


def check_page(text):
    """Check a page.  -> its visible text."""
    page = _Page(text)
    assert page.open == []
    assert "http" not in text.replace("</", "")
    tags = {tag for tag, _, _ in page.elements}
    assert not tags & {"script", "iframe", "object", "embed", "form"}
    for tag, attributes, parents in page.elements:
        for name in ("href", "src"):
            assert re.match("data:|#", attributes.get(name, "#")), attributes
        assert not any(name.startswith("on") for name in attributes)
        if "svg" in (tag, *parents):
            for name in ("style", "fill", "stroke"):
                assert not _COLOUR.search(attributes.get(name, "")), attributes
    _check_charts(text)
    visible = " ".join(page.texts)
    assert not re.search(r"\bnan\b|\binf\b|None", visible)
    return visible


def charts(text):
    """Return the SVG elements of a page as (form, svg)."""
    return re.findall(r'<div class="(wide|narrow)">(<svg.*?</svg>)</div>', text, re.DOTALL)


def _check_charts(text):
    """Every chart has both forms, a description, and letters of readable size on a phone."""
    forms = [form for form, _ in charts(text)]
    assert forms == ["wide", "narrow"] * (len(forms) // 2)
    assert text.count("<svg") == len(forms)
    identifiers = []
    for form, svg in charts(text):
        assert re.match(r'<svg role="img" aria-label="[^"]{10,}" viewBox="0 0 [\d. ]+">', svg)
        width = float(re.search(r'viewBox="0 0 ([\d.]+) ', svg)[1])
        sizes = [float(size) for size in re.findall(r"<text [^>]*font-size:([\d.]+)px", svg)]
        assert len(sizes) == svg.count("<text") > 2
        shown = CONTENT_OF_A_PHONE if form == "narrow" else 560  # from 600 on, less the padding
        assert min(sizes) * shown / width >= SMALLEST, (form, min(sizes))
        identifiers += set(re.findall(r' id="(\w+)"', svg))
        used = set(re.findall(r'href="#(\w+)"|url\(#(\w+)\)', svg))
        assert {name for pair in used for name in pair if name} <= set(identifiers)
    assert len(identifiers) == len(set(identifiers))
