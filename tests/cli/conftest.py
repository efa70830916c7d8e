"""Runs of the command line, in this process and in a fresh one."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tervit_np.cli import main


@pytest.fixture(autouse=True)
def undrawn_charts(monkeypatch):
    """Draw no chart of a report in this process, at a second each; tests/analysis does."""
    monkeypatch.setattr("tervit_np.analysis.svg._lay_out", lambda figure: None)
    monkeypatch.setattr("tervit_np.analysis.svg.save", lambda figure, path: path.write_bytes(b""))
    monkeypatch.setattr("tervit_np.analysis.svg.to_svg", lambda figure: '<svg viewBox="0 0 1 1"/>')


@pytest.fixture
def tervit(capsys, monkeypatch):
    """Call `tervit ARGS...` in this process.  -> exit code, standard output, standard error."""
    monkeypatch.setattr("tervit_np.cli.startup.prepare", lambda: None)

    def call(*args):
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as stop:  # argparse
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def shell():
    """Call `python -m tervit_np ARGS...` in a new process."""

    def call(*args, **environment):
        return subprocess.run(
            [sys.executable, "-m", "tervit_np", *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | environment,
        )

    return call


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder train/ and test/ with two easy classes, bright and dark, of 20-pixel PNG files."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for split, count in (("train", 48), ("test", 16)):
        for name, level in (("bright", 170), ("dark", 80)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.normal(level, 20, (20, 20, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


class Background:
    """A `tervit` command that runs in the background."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tervit_np", *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_file(self, file, word, seconds=120):
        """Wait until the file holds the word."""
        end = time.monotonic() + seconds
        while not (file.exists() and word in file.read_text()):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end, f"no {word!r} in {file} after {seconds} s"
            time.sleep(0.05)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def finish(self):
        out, error = self.process.communicate(timeout=60)
        return self.process.returncode, out, error


@pytest.fixture
def popen():
    return Background


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def own_data(monkeypatch, scratch):
    """Decode into a temporary folder."""
    monkeypatch.setenv("TERVIT_DATA", str(scratch))
