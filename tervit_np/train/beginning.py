"""What a run begins with: its initial weights, or the checkpoint at which it was stopped."""

from typing import Any

from data_tools.terminal import note
from tervit_np.environment import difference_of_bits
from tervit_np.models import Classifier
from tervit_np.train.checkpoint import Saved
from tervit_np.train.folder import RunFolder
from tervit_np.train.run_config import machine_changes
from tervit_np.train.stage_time import StageTime


def begin(
    folder: RunFolder, run_config: dict[str, Any], model: Classifier, resume: bool, quiet: bool
) -> Saved | None:
    """Begin a run in a locked folder, or read its checkpoint; None for a new run.

    A note says what has changed on this machine since a resumed run began, if that may change bits.

    Raises
    ------
    ValueError
        If a new run's folder holds another one, or a resumed run has other settings or is damaged.
    """
    folder.remove_partial_files()
    if not resume:
        folder.begin(run_config, initial_state(model))
        if (reason := difference_of_bits(model.dtype)) and not quiet:
            note(f"the last bits {reason}")
        return None
    folder.check_same_config(run_config)
    if changes := machine_changes(folder.read_run_config(), run_config):
        note(f"{changes}; the last bits of the result may differ from an uninterrupted run's")
    return folder.load()


def initial_state(model: Classifier) -> Saved:
    """Return the state before the first step."""
    position = {"stage": 0, "step": 0, "results": [], "start": (0.0, 0.0), **vars(StageTime())}
    return Saved({f"model.{name}": p.data for name, p in model.official_params()}, position)
