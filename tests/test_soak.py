"""The judge of `python -m tests.soak`: it measures planted leaks, and finds what grows."""

import mmap
import subprocess
import sys
import threading

import pytest

from tests.soak import Round, problems, table, usage

FLAT = Round(60.0, 90_000_000, 60_000_000, 7, 1, 1)


def rounds(count, **growth):
    """Rounds in which fields grow by so much each."""
    return [
        FLAT._replace(**{name: getattr(FLAT, name) + i * step for name, step in growth.items()})
        for i in range(count)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_planted_leaks_are_measured():
    before, stop = usage(), threading.Event()
    # A mapping has new pages; a bytearray may reuse those that other tests have freed.
    leaked = mmap.mmap(-1, 30_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    leaked.write(b"x" * len(leaked))
    thread = threading.Thread(target=stop.wait)
    thread.start()
    sleep = [sys.executable, "-Sc", "print(flush=True); input()"]
    child = subprocess.Popen(sleep, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    after = usage()
    stop.set()
    thread.join()
    child.communicate(b"\n")
    assert after.memory - before.memory == pytest.approx(len(leaked), rel=0.1)
    assert after.children_memory - before.children_memory > 1_000_000
    assert after.files - before.files == 2
    assert after.threads - before.threads == 1
    assert after.children - before.children == 1


def test_what_grows_is_found():
    """Memory by more than 1 % from the second fifth to the last; one file, thread or process."""
    assert problems(rounds(30)) == []
    assert problems(rounds(30, memory=30_000, children_memory=20_000)) == []
    assert problems(rounds(30, memory=60_000)) == ["memory grew by 1.2 %"]
    assert problems(rounds(30, children_memory=40_000)) == ["memory of the decoders grew by 1.2 %"]
    for field in ("files", "threads", "children"):
        first, last = getattr(FLAT, field) + 11, getattr(FLAT, field) + 29
        words = f"{field}: {last} are left at the end, {first} after the warm-up"
        assert problems(rounds(30, **{field: 1})) == [words]


def test_the_warm_up_may_grow_and_a_few_rounds_are_not_judged():
    warm_up = [FLAT._replace(memory=50_000_000, threads=9)] * 6
    assert problems(warm_up + rounds(24)) == []
    assert problems(rounds(4)) == ["4 rounds are too few to judge; expected at least 5"]


def test_the_table_has_ten_rows():
    lines = table(rounds(30)).splitlines()
    assert len(lines) == 12
    assert lines[-1] == "| 30.0 | 600 | 90.00 | 60.00 | 7 | 1 | 1 |"
