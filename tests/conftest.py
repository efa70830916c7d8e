"""One BLAS thread and the fast BLAS kernel, settled before NumPy is imported."""

from tervit_np.cli.startup import prepare

prepare()

import signal  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

TESTS = Path(__file__).parent
COMPILING = ("compiled", "kernels", "deploy")  # folders whose tests compile nearly all kernels
LONG = ("exercises", "tutorials", "cli", "train", "analysis", "figures", "book")
FLOAT32 = ("compiled", "kernels", "models", "nn", "ops", "verify")  # folders


def pytest_configure():
    """Obey signals that background processes ignore: tests send them to children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a file to one worker, which makes its fixtures once, and kernels to one worker too.

    Two workers that call a kernel at the same time would both compile it.
    """
    if config.option.dist != "load":  # asked for another way
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "kernels" if file.split("/")[1] in COMPILING else file

    config.option.loadscopereorder = False  # files with few tests may be the longest
    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Begin with what takes long; mark tests of arithmetic, of which processors compute other bits.

    A worker that begins with the exercises, which compile nothing, leaves the kernels to another.
    """
    first = {folder: place for place, folder in enumerate(COMPILING + LONG)}
    items.sort(key=lambda item: first.get(item.path.relative_to(TESTS).parts[0], len(first)))
    for item in items:
        if item.path.parent.name in FLOAT32 and item.path.name != "test_jit.py":
            item.add_marker(pytest.mark.float32)


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests that lay out pages; without one they are skipped."""
    from tests.browser import Browser, find_browser

    if find_browser() is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    with Browser() as found:
        yield found
