"""Check what environment variables say before a chapter runs.

TERVIT_SEED is checked where it is read (settings.py).
"""

import os
from collections.abc import Callable

from tervit_lesson.settings import OUT, end


def check_variables() -> None:
    """End with one sentence if a variable has a value without a meaning."""
    for variable, check in CHECKS.items():
        if os.environ.get(variable):
            try:
                check()
            except (ValueError, OSError) as error:
                sentence = str(error)
                is_named = sentence.startswith(variable)
                end(sentence if is_named else f"{variable}: {sentence}")


def _check_backend() -> None:
    from tervit_np.backends import backend_name

    backend_name()


def _check_kernel() -> None:
    from tervit_np.kernels import selected_variant

    selected_variant()


def _check_data() -> None:
    from data_tools.paths import data_root

    data_root()


def _check_figures() -> None:
    """Make the folder: some can be neither made nor written."""
    from data_tools.paths import writable_folder

    if writable_folder(OUT) is None:
        raise ValueError(
            f"{OUT} is not a folder that can be written; name another one"
        )


def _check_results() -> None:
    from tervit_np.files import check_writable

    check_writable(os.environ["TERVIT_RESULTS"])


CHECKS: dict[str, Callable[[], None]] = {
    "TERVIT_BACKEND": _check_backend,
    "TERVIT_KERNEL": _check_kernel,
    "TERVIT_DATA": _check_data,
    "TERVIT_TUTORIALS": _check_figures,
    "TERVIT_RESULTS": _check_results,
}
