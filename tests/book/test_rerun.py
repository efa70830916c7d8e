"""The book runs its chapters again when what they compute with has changed."""

import pytest
from tervit_book import rerun

FILES = {
    "tervit_np/ops/linear.py": '"""Multiply."""\nx = 1  # one\n',
    "tervit_np/deploy/trained_models/shapes.safetensors": "weights",
    "data_tools/imagenet_classes.txt": "tench",
    "tutorials/tervit_lesson/claims.py": "y = 2\n",
    "tervit_np/ops/__pycache__/linear.pyc": "bytecode",
}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository of a few files."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(rerun, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "counts"),
    [
        ("tervit_np/ops/linear.py", '"""Multiply."""\nx = 2\n', True),
        ("tervit_np/ops/linear.py", '"""Add."""\n\nx = 1\n', False),
        ("tervit_np/deploy/trained_models/shapes.safetensors", "others", True),
        ("data_tools/imagenet_classes.txt", "goldfish", True),
        ("tervit_np/ops/__pycache__/linear.pyc", "others", False),
    ],
)
def test_code_and_the_files_with_it_count(clone, name, text, counts):
    before = rerun.hash_of_code()
    (clone / name).write_text(text)
    assert (rerun.hash_of_code() != before) == counts
