import importlib.util
import threading
from contextlib import ExitStack
from itertools import permutations

import pytest

import tervit_np as tv
from tervit_np import backends, blas
from tervit_np.setting import Setting


@pytest.fixture
def box():
    return [0]


@pytest.fixture
def setting(box):
    return Setting(lambda: box[0], lambda value: box.__setitem__(0, value))


def test_nested_blocks_restore_one_after_the_other(setting, box):
    with setting.use(1):
        with setting.use(2):
            assert box == [2]
        assert box == [1]
    assert box == [0]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_overlapping_blocks_end_as_they_began(setting, box, order):
    blocks = [ExitStack() for _ in range(3)]
    for i, block in enumerate(blocks):
        block.enter_context(setting.use(10 + i))
    still_open = {0, 1, 2}
    for i in order:
        blocks[i].close()
        still_open.remove(i)
        assert box == [10 + max(still_open) if still_open else 0]


def test_an_error_restores(setting, box):
    with pytest.raises(RuntimeError), setting.use(3):
        raise RuntimeError
    assert box == [0]


def test_a_value_that_is_refused_leaves_nothing_behind():
    box = [0]

    def write(value):
        if value < 0:
            raise ValueError
        box[0] = value

    setting = Setting(lambda: box[0], write)
    with pytest.raises(ValueError), setting.use(-1):
        pass
    with setting.use(1):
        assert box == [1]
    assert box == [0]


def test_a_change_outside_of_blocks_is_the_new_beginning(setting, box):
    with setting.use(1):
        pass
    box[0] = 7
    with setting.use(1):
        pass
    assert box == [7]


def overlap(first, second):
    """Enter `first` here and `second` in a thread; leave `first` before `second`."""
    entered, leave = threading.Event(), threading.Event()

    def other():
        with second:
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with first:
        thread.start()
        entered.wait(10)
    leave.set()
    thread.join()


def test_backends_of_two_threads_end_as_they_began():
    before = backends.backend_name()
    overlap(tv.backend("numpy"), tv.backend("numpy"))
    assert backends.backend_name() == before


@pytest.mark.parametrize("counts", [(1, 1), (1, 2), (2, 1)])
def test_blas_threads_of_two_threads_end_as_they_began(counts):
    before = blas.num_threads()
    overlap(*map(blas.threads, counts))
    assert blas.num_threads() == before


def test_the_first_look_at_the_backend_does_not_undo_a_block_of_another_thread(monkeypatch):
    looking, selected, find = threading.Event(), threading.Event(), importlib.util.find_spec

    def slow(name):
        if threading.current_thread() is first:
            looking.set()
            assert selected.wait(10)
        return find(name)

    backends._default.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", slow)
    first = threading.Thread(target=backends.backend_name)
    first.start()
    assert looking.wait(10)
    with tv.backend("numpy"):
        selected.set()
        first.join()
        assert backends.backend_name() == "numpy"
