"""Continue a run that diverged from its last checkpoint, at smaller learning rates.

The rates change in run.json, so that a resumed run continues with them, and "lr_changes" there says
when and by how much: the whole run can be understood, and done again, from its file.
"""

from typing import Any

from tervit_np.train.folder import RunFolder
from tervit_np.train.run_file import write_config


def lower_lr(folder: RunFolder, factor: float) -> dict[str, Any]:
    """Multiply the rates of all stages that are not finished; the folder must be locked.

    Returns the new configuration.

    Raises
    ------
    ValueError
        If the factor is not between 0 and 1, all stages are finished, or the run is damaged.
    """
    if not 0 < factor < 1:
        raise ValueError(f"the factor of the learning rates is {factor:g}; expected 0 to 1")
    run_config, saved = folder.read_run_config(), folder.load()
    first, stages = saved.position["stage"], run_config["stages"]
    if first >= len(stages):
        raise ValueError(f"{folder.path}: all stages are finished; no rate is left to lower")
    for stage in stages[first:]:
        stage["lr"] *= factor
    change = {"stage": stages[first]["name"], "step": saved.position["step"], "factor": factor}
    run_config["lr_changes"] = [*run_config.get("lr_changes", []), change]
    write_config(folder.config_file, run_config)
    for _ in range(2):  # both checkpoints hold the configuration
        folder.save(saved)
    return run_config
