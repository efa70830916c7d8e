"""The command that opens the book's pages sees planted faults, and none in a good page."""

from tests.book.open_pages import addresses, faults_of, main

GOOD = (
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<link rel="icon" href="data:,"><p>Ternary weights.</p>'
)
FAULTS = {
    "console error: oh": "<script>console.error('oh')</script>",
    "Error: no": "<script>throw Error('no')</script>",
    "a request to http://example.org/a.js": '<script src="http://example.org/a.js"></script>',
    "no picture": '<img src="absent.png" alt="">',
    "618 px wider than the window: div#wide": '<div id="wide" style="width:1000px">w</div>',
    "no formula: a": '<span class="math">a</span>',
    "letters of 9.0 px: p.small": '<p class="small" style="font-size:9px">s</p>',
    "too pale: grey: 1.6": '<style>body{background:#222}</style><p style="color:#444">grey</p>',
}


def test_every_fault_is_seen(browser, tmp_path):
    good, bad = tmp_path / "good.html", tmp_path / "bad.html"
    good.write_text(GOOD)
    assert list(faults_of(browser, good.as_uri(), "good", None)) == []
    bad.write_text(GOOD + "".join(FAULTS.values()))
    found = "\n".join(faults_of(browser, bad.as_uri(), "bad", None))
    for fault in FAULTS:
        assert fault in found
    assert "bad (phone, light; phone, dark): 618 px" in found


def test_pages_are_chosen_by_name(tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    for name in ("docs/a.html", "search.html", "docs/a.js"):
        (tmp_path / name).touch()
    assert [name for name, _ in addresses(tmp_path, "docs/*")] == ["docs/a.html"]
    assert len(list(addresses(tmp_path, "*"))) == 3  # one is a search
    assert main([str(tmp_path / "none")]) == 2
    assert "tervit book --no-open" in capsys.readouterr().err
