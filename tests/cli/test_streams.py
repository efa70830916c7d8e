"""Closed, full and narrow standard streams, and Ctrl-C before the work begins."""

import functools
import os
import random
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="redirections of a Unix shell")
TERVIT = f'"{sys.executable}" -m tervit_np'
slow = pytest.mark.slow


def quick_first(*values, quick):
    """Parametrize: the first values are quick, the others slow."""
    return [pytest.param(v, marks=() if i < quick else slow) for i, v in enumerate(values)]


def run(command, **environment):
    return subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@functools.cache
def size_with_all_streams():
    return run(f"{TERVIT} size deit_shapes").stdout


@pytest.mark.parametrize(
    "streams",
    quick_first("<&- 2>&-", "2>/dev/full", "2>&- 3>&-", "2>&-", "<&-", "</dev/null 2>&-", quick=3),
)
def test_a_missing_stream_changes_no_result(streams):
    done = run(f"{TERVIT} size deit_shapes {streams}")
    assert done.returncode == 0
    assert done.stdout == size_with_all_streams() != ""


@pytest.mark.parametrize("streams", quick_first("<&- >&- 2>&-", ">&-", ">&- 2>&-", quick=2))
def test_without_standard_output_the_command_succeeds(streams):
    done = run(f"{TERVIT} size deit_shapes {streams}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("unbuffered", "reader"),
    [
        ("", "head -1"),
        ("1", "true"),
        ("", "sh -c 'exec <&-; sleep 1'"),
        pytest.param("1", "head -1", marks=slow),
        pytest.param("", "true", marks=slow),
        pytest.param("1", "sh -c 'exec <&-; sleep 1'", marks=slow),
    ],
)
def test_a_reader_that_leaves_is_no_error(reader, unbuffered):
    done = run(f"{TERVIT} size swin_cifar | {reader}", PYTHONUNBUFFERED=unbuffered)
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["size deit_shapes", "--help", "exercise list"])
def test_a_full_disk_is_said(command):
    done = run(f"{TERVIT} {command} >/dev/full")
    assert "Traceback" not in done.stderr
    if command != "--help":
        assert done.returncode == 2
        assert "the output could not be written (No space left on device)" in done.stderr


def test_a_mistake_is_said_without_standard_error_by_its_code_alone():
    done = run(f"{TERVIT} eval nowhere.npz 2>&-")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("encoding", quick_first("ascii", "utf-16", "cp1252", "latin-1", quick=2))
def test_usage_errors_are_printed_in_any_encoding(encoding):
    done = subprocess.run(
        [sys.executable, "-m", "tervit_np", "\x1b[31m猫±"],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )
    assert done.returncode == 2
    text = done.stderr.decode(encoding)
    assert "unknown command" in text and "Traceback" not in text and "\x1b" not in text


def test_ctrl_c_while_importing_prints_no_traceback():
    rng = random.Random(0)
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-m", "tervit_np", "doctor"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(rng.uniform(0.1, 0.5))  # earlier, Python has not reached our code
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
        assert process.returncode in (0, 130, -signal.SIGINT)
        assert "tervit_np" not in error or "Traceback" not in error
