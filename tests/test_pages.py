"""Pages and chapters are right about files, headings and commands."""

import ast
import importlib
import inspect
import re
import shlex
from pathlib import Path

import pytest

import tervit_np
from tervit_np.cli import COMMANDS, make_parser

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/teaching/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("tutorials/*.md"), *ROOT.glob("tervit_np/**/*.md"),
]  # fmt: skip
PAGES.remove(ROOT / "CHANGELOG.md")  # it also names what no longer exists
CHAPTERS = sorted(ROOT.glob("tutorials/[0-9][0-9]_*.py"))
SCRIPTS = [
    *ROOT.glob("benchmarks/*.py"), *ROOT.glob("docs/make_*.py"), *ROOT.glob("tests/*.py"),
    *ROOT.glob("tutorials/[a-z]*.py"),
]  # fmt: skip
WRITTEN = {"runs", "exercises"}  # folders that commands make
PARSER = make_parser()
OWN = "tervit_np", "data_tools"
FOLDERS = ROOT, ROOT / "tervit_np", ROOT / "tervit_np" / "exercises"  # where names may start


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets(text: str) -> list[tuple[str, str]]:
    """Files and anchors of the links of a page; addresses elsewhere are left out."""
    links = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text)
    return [(file, anchor) for file, anchor in links if not file.startswith("http")]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_to_files_and_headings(page):
    for file, anchor in targets(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=name_of)
def test_links_of_a_chapter_lead_to_files(chapter):
    links = re.findall(r"<(\.\./[^>]+)>`_", chapter.read_text(encoding="utf-8"))
    for link in links:
        assert (chapter.parent / link).exists(), link


@pytest.mark.parametrize("text", [*PAGES, *CHAPTERS], ids=name_of)
def test_named_files_exist(text):
    names = re.findall(r"`([a-z_]+(?:/\w+)+(?:\.\w+)?)`", text.read_text(encoding="utf-8"))
    folders = {path.name for folder in FOLDERS for path in folder.iterdir() if path.is_dir()}
    for name in names:
        if name.split("/")[0] in folders - WRITTEN and "NAME" not in name:
            assert any((folder / name).exists() for folder in FOLDERS), name


def test_every_picture_is_shown_or_linked():
    links = [link for page in PAGES for link, _ in targets(page.read_text(encoding="utf-8"))]
    names = {Path(link).name for link in links}
    pictures = sorted(file.name for file in (ROOT / "docs").rglob("*.png"))
    assert [name for name in pictures if name not in names] == []


def tables(text: str) -> list[list[str]]:
    """The rows of each table of a page."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [part.splitlines() for part in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_rows_of_a_table_have_as_many_cells_as_its_head(page):
    for head, *rows in tables(page.read_text(encoding="utf-8")):
        cells = len(re.findall(r"(?<!\\)\|", head))
        assert [row for row in rows if len(re.findall(r"(?<!\\)\|", row)) != cells] == []


def shell_lines(text: str) -> list[str]:
    """Commands of fenced blocks and of indented lines, without comments."""
    text = re.sub(r" \\\n[# ]*", " ", text)  # continued lines
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^(?:# )? {2,4}((?:tervit|taskset|python) .*)", text, re.MULTILINE)
    lines = [re.split(' #|  +|"""', line)[0] for block in blocks for line in block.splitlines()]
    lines += [re.split(' #|  +|"""', line)[0] for line in indented]
    return [part for line in lines for part in re.split(r"&&|\|\||>", line)]


def inline_commands(text: str) -> list[str]:
    """Commands between backticks with an option or an argument: `tervit bench` may be a name."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    text = " ".join(line.removeprefix("# ") for line in text.splitlines())
    return re.findall(r"`((?:taskset -c 0 |TERVIT_\w+=\w+ )?(?:tervit|python) [^` ]+ [^`]+)`", text)


def source_of(words: list[str]) -> str:
    """The source of a script or module of this repository; of a module from elsewhere, nothing."""
    if words[0] != "-m":
        return (ROOT / words[0]).read_text(encoding="utf-8")
    name = words[1].replace(".", "/")
    files = ROOT / f"{name}.py", ROOT / name / "__main__.py"
    return "".join(file.read_text(encoding="utf-8") for file in files if file.exists())


def understand(command: str) -> None:
    """Fail if `tervit` refuses the arguments, or a script does not name an option of them."""
    runs = re.search(r"(?:^|[ /])(tervit|python -m tervit_np|python)(?= |$)(.*)", command)
    if not runs:
        return
    words = shlex.split(runs[2])
    if runs[1] != "python":
        PARSER.parse_args(words)
    elif source := source_of(words):
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        assert [option for option in options if f'"{option}"' not in source] == [], command


@pytest.mark.parametrize("text", [*PAGES, *CHAPTERS], ids=name_of)
def test_quoted_commands_are_understood(text):
    content = text.read_text(encoding="utf-8")
    for command in [*inline_commands(content), *shell_lines(content)]:
        understand(command)


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_commands_at_the_head_of_a_script_are_understood(script):
    head = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    for command in shell_lines(head.replace("\n", "\n    ")):
        understand(command)


def test_examples_of_every_command_are_understood():
    for command in COMMANDS.values():
        lines = shell_lines("\n".join(f"  {line}" for line in command.EXAMPLES.splitlines()))
        assert lines
        for line in lines:
            understand(line)


def resolve(node: ast.expr, names: dict[str, object]) -> object:
    """The object that a name or a chain of attributes means; None if it is made by the sample."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    owner = resolve(node.value, names) if isinstance(node, ast.Attribute) else None
    return None if owner is None else getattr(owner, node.attr)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_samples_name_what_exists(page):
    """Imports, attributes of what is imported, and names of arguments."""
    text = page.read_text(encoding="utf-8")
    for sample in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        names: dict[str, object] = {"tv": tervit_np}
        for node in ast.walk(ast.parse(sample)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith(OWN):
                module = importlib.import_module(node.module)
                names |= {alias.name: getattr(module, alias.name) for alias in node.names}
        for node in ast.walk(ast.parse(sample)):
            if isinstance(node, ast.Attribute):
                resolve(node, names)
            if isinstance(node, ast.Call) and (called := resolve(node.func, names)) is not None:
                arguments = {word.arg: None for word in node.keywords}
                inspect.signature(called).bind_partial(*node.args, **arguments)


def test_environment_variables_of_the_pages_are_read_somewhere():
    folders = "tervit_np", "data_tools", "tutorials/tervit_lesson", "tests/bits"
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    known = set(re.findall(r"TERVIT_[A-Z]+", "".join(f.read_text("utf-8") for f in files)))
    for page in PAGES:
        assert set(re.findall(r"TERVIT_[A-Z]+", page.read_text("utf-8"))) <= known, page


def test_counts_in_words_are_right():
    figures = len([*ROOT.glob("docs/book/figures/*.html")]) - 1  # but the index
    questions = re.findall(r"^## \d", (ROOT / "docs/teaching/exam.md").read_text("utf-8"), re.M)
    assert (len(CHAPTERS), figures, len(questions)) == (23, 9, 13)
    said = {"README.md": "Twenty-three chapters", "tutorials/README.md": "Twenty-three chapters",
            "docs/package.md": "twenty-three chapters"}  # fmt: skip
    teaching = "nine [figures that move]", "[thirteen questions with answers]"
    for page, words in [*said.items(), *(("docs/teaching.md", words) for words in teaching)]:
        assert words in (ROOT / page).read_text(encoding="utf-8"), page
