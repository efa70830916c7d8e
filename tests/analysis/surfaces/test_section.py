import pytest

from tervit_np.analysis import html
from tervit_np.analysis.surfaces.results import FILE, write_surfaces
from tervit_np.analysis.surfaces.section import BEGIN, END, rewrite_report, surface_section
from tests.analysis.report.page_structure import charts, check_page

FIGURES = {f"surface_{n}.png" for n in ("gaps", "stacked", "interpolation", "lines", "grids")}


@pytest.fixture
def folder(surfaces, tmp_path):
    write_surfaces(surfaces, tmp_path)
    return tmp_path


def test_the_section_needs_the_json_alone(folder):
    section = "\n".join(surface_section(folder))
    assert section.startswith(BEGIN)
    assert section.endswith(END)
    assert {file.name for file in folder.iterdir()} == FIGURES | {FILE}
    assert len(charts(section)) == 2 * len(FIGURES)
    check_page(html.document("t", [section]))


def test_the_tables_quote_the_numbers(folder, surfaces):
    section = "\n".join(surface_section(folder))
    channel = surfaces.gaps[0].gaps[2]
    assert f"<td>{channel.gap:+.3f} ± {channel.error:.3f}</td>" in section
    assert f"<td>{surfaces.curvature[2].spectrum.largest:.2f}</td>" in section
    assert f"<td>{surfaces.predictions[0].second:.5f}</td>" in section
    height = surfaces.trained.heights[2]
    assert f"<td>{height.distance:+.4f} ± {height.distance_error:.4f}</td>" in section


def test_stages_are_named_where_their_names_differ(folder, surfaces, tmp_path):
    stages = {"float": "float", "8-bit": "float, rounded", "ternary": "ternary"}
    write_surfaces(surfaces._replace(settings=surfaces.settings._replace(stages=stages)), folder)
    assert "Stages: 8-bit is float, rounded.</p>" in "\n".join(surface_section(folder))
    same = {kind: kind for kind in stages}
    write_surfaces(surfaces._replace(settings=surfaces.settings._replace(stages=same)), folder)
    assert "Stages:" not in "\n".join(surface_section(folder))


def test_without_curvature_there_are_no_eigenvalues(surfaces, tmp_path):
    write_surfaces(surfaces._replace(curvature=(), predictions=()), tmp_path)
    section = "\n".join(surface_section(tmp_path))
    assert "eigenvalue" not in section
    assert len(charts(section)) == 2 * len(FIGURES)


def test_without_results_there_are_only_marks(tmp_path):
    assert surface_section(tmp_path) == [BEGIN, END]
    assert not list(tmp_path.iterdir())


def test_the_section_replaces_an_older_one(folder):
    report = folder / "report.html"
    report.write_text(f"<body>before\n{BEGIN}\nthe old section\n{END}\nafter</body>")
    for _ in range(2):
        assert rewrite_report(folder) == report
        text = report.read_text()
        assert text.startswith(f"<body>before\n{BEGIN}\n<h2>The loss surface</h2>")
        assert text.endswith(f"{END}\nafter</body>")
        assert text.count(BEGIN) == 1
    assert "the old section" not in text


def test_a_report_without_marks_gets_the_section_at_its_end(folder):
    report = folder / "report.html"
    report.write_text("<body>all</body>\n</html>")
    rewrite_report(folder)
    assert report.read_text().startswith(f"<body>all{BEGIN}")
    assert report.read_text().endswith(f"{END}\n</body>\n</html>")


def test_a_report_of_an_older_version_gets_the_style_that_the_section_needs(folder):
    report = folder / "report.html"
    report.write_text("<style>old</style><body>all</body>")
    rewrite_report(folder)
    assert report.read_text().startswith(f"<style>{html.STYLE}</style><body>all")


def test_terms_are_explained_under_the_pointer(folder):
    section = "\n".join(surface_section(folder))
    assert '<abbr title="the largest eigenvalue of the Hessian' in section
    assert "what rounding adds to the weights" in section


def test_figures_are_drawn_without_a_report(folder):
    assert rewrite_report(folder) is None
    assert (folder / "surface_lines.png").exists()
