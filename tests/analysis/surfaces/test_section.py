import pytest

from tervit_np.analysis import html
from tervit_np.analysis.surfaces.results import FILE, write_surfaces
from tervit_np.analysis.surfaces.section import BEGIN, END, rewrite_report, surface_section
from tests.analysis.report.page_layout import check_layout
from tests.analysis.report.page_structure import charts, check_page

FIGURES = {f"surface_{n}.png" for n in ("gaps", "stacked", "interpolation", "lines", "grids")}


@pytest.fixture(scope="module")
def drawn(surfaces, tmp_path_factory):
    """Draw the section from the stored numbers alone.  -> the folder and the section."""
    folder = tmp_path_factory.mktemp("drawn")
    write_surfaces(surfaces, folder)
    return folder, "\n".join(surface_section(folder))


@pytest.fixture(scope="module")
def section(drawn):
    return drawn[1]


@pytest.fixture
def report(section, tmp_path, monkeypatch):
    """A report that does not exist yet, of a run whose section is drawn already."""
    monkeypatch.setattr("tervit_np.analysis.surfaces.section.surface_section", lambda _: [section])
    return tmp_path / "report.html"


def test_the_section_needs_the_json_alone(drawn):
    folder, section = drawn
    assert section.startswith(BEGIN)
    assert section.endswith(END)
    assert {file.name for file in folder.iterdir()} == FIGURES | {FILE}
    assert len(charts(section)) == 2 * len(FIGURES)
    check_page(html.document("t", [section]))


def test_nothing_is_cut_and_labels_can_be_read(browser, section, tmp_path):
    (tmp_path / "page.html").write_text(html.document("t", [section]), "utf-8")
    check_layout(browser, tmp_path / "page.html")


def test_the_tables_quote_the_numbers(section, surfaces):
    channel = surfaces.gaps[0].gaps[2]
    gap = f"{channel.gap:+.4f}".replace("-", "\N{MINUS SIGN}")
    assert f"<td>{gap} ± {channel.error:.4f}</td>" in section
    assert f"<td>{surfaces.curvature[2].spectrum.largest:.2f}</td>" in section
    assert f"<td>{surfaces.predictions[0].second:.5f}</td>" in section
    height = surfaces.trained.heights[2]
    above = f"{height.distance:+.4f}".replace("-", "\N{MINUS SIGN}")
    assert f"<td>{above} ± {height.distance_error:.4f}</td>" in section


def test_renamed_stages_are_named_and_without_curvature_there_are_no_eigenvalues(
    surfaces, section, tmp_path
):
    stages = {"float": "float", "8-bit": "float, rounded", "ternary": "ternary"}
    settings = surfaces.settings._replace(stages=stages)
    write_surfaces(surfaces._replace(settings=settings, curvature=(), predictions=()), tmp_path)
    other = "\n".join(surface_section(tmp_path))
    assert "Stages: 8-bit is float, rounded.</p>" in other
    assert "Stages:" not in section
    assert "eigenvalue" in section
    assert "eigenvalue" not in other
    assert len(charts(other)) == 2 * len(FIGURES)


def test_without_results_there_are_only_marks(tmp_path):
    assert surface_section(tmp_path) == [BEGIN, END]
    assert not list(tmp_path.iterdir())


def test_the_section_replaces_an_older_one(report):
    report.write_text(f"<body>before\n{BEGIN}\nthe old section\n{END}\nafter</body>")
    for _ in range(2):
        assert rewrite_report(report.parent) == report
        text = report.read_text()
        assert text.startswith(f"<body>before\n{BEGIN}\n<h2>The loss surface</h2>")
        assert text.endswith(f"{END}\nafter</body>")
        assert text.count(BEGIN) == 1
    assert "the old section" not in text


def test_a_report_of_an_older_version_gets_the_section_at_its_end_and_its_style(report):
    report.write_text("<style>old</style><body>all</body>\n</html>")
    rewrite_report(report.parent)
    assert report.read_text().startswith(f"<style>{html.STYLE}</style><body>all{BEGIN}")
    assert report.read_text().endswith(f"{END}\n</body>\n</html>")


def test_terms_are_explained_under_the_pointer(section):
    assert '<abbr title="the largest eigenvalue of the Hessian' in section
    assert "what rounding adds to the weights" in section


def test_without_a_report_none_is_written(report):
    assert rewrite_report(report.parent) is None
    assert not report.exists()
