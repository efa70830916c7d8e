"""One BLAS thread and the fast BLAS kernel, settled before NumPy is imported."""

from tervit_np.cli.startup import prepare

prepare()

import signal  # noqa: E402

import pytest  # noqa: E402

FLOAT32 = ("compiled", "kernels", "models", "nn", "ops", "verify")  # folders


def pytest_configure():
    """Obey signals that background processes ignore: tests send them to children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a file to one worker, which compiles its kernels and makes its fixtures once."""
    if config.option.dist != "load":  # asked for another way
        return None
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # files with few tests are the longest
    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(items):
    """Mark the tests of arithmetic, of which processors compute other last bits."""
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
