"""The commands that are printed to be copied."""

import sys
from types import SimpleNamespace

import pytest

from tervit_np.cli.meter import Meter
from tervit_np.exercises.progress import Progress


@pytest.mark.parametrize("words", [(), ("hint", "matmul")])
def test_commands_to_continue_are_for_the_shell_of_the_system(monkeypatch, tmp_path, words):
    """cmd.exe takes no single quotation marks, and each path of Windows got them."""
    folder = tmp_path / "my exercises"
    progress = Progress(folder)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "argv", ["tervit", "surface", r"C:\my runs\a"])
    command = " ".join(["tervit exercise", *words])
    assert progress.command(*words) == f'`{command} --dir "{folder}"`'
    with pytest.raises(KeyboardInterrupt, match=r'\n  tervit surface "C:\\my runs\\a"$'):
        Meter(2, 1, SimpleNamespace(requested=True), quiet=True).add("gap", 1, is_new=True)
