"""Measure how far each stage of a comparison moves the weights; write the table of stages.md.

    tervit compare docs/comparisons/rungs.toml --out runs/rungs
    python docs/make_stage_changes.py runs/rungs
    python docs/make_stage_changes.py                  the table alone, from stage_changes.json

Of the models that were compared, over all their ternary weights:

    change      |w after - w before| / |w before|, in each stage
    codes       share of ternary codes of the weights before the last stage that differ after it
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from page_parts import rewrite, table  # noqa: E402

from tervit_np.analysis.comparison import read_record  # noqa: E402
from tervit_np.analysis.comparison.running import final_trials  # noqa: E402
from tervit_np.analysis.comparison.trials import Trial, Trials  # noqa: E402
from tervit_np.checkpoints import load_model  # noqa: E402
from tervit_np.quant import Ternary  # noqa: E402

Weights = list[np.ndarray]

PAGE, STORE = DOCS / "stages.md", DOCS / "stage_changes.json"
MARK = "stage changes"
HEAD = ["arm", "change in the stages between", "in the last stage", "codes that differ"]


def main() -> None:
    """Measure the models of a comparison, if one is named, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="folder of a finished comparison")
    args = parser.parse_args()
    if args.folder is not None:
        STORE.write_text(json.dumps(measure(args.folder), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(remade(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def measure(folder: Path) -> dict[str, Any]:
    """Return the changes of every arm and seed of a comparison, as fractions."""
    record = read_record(folder)
    trials = Trials(record.plan, folder, threads=1, workers=0, quiet=True)
    arms: dict[str, list[dict[str, Any]]] = {arm.name: [] for arm in record.plan.arms}
    for trial in final_trials(record.plan, record.multipliers):
        arms[trial.arm.name].append({"seed": trial.seed, **changes(trials, trial)})
    return {"comparison": record.plan.name, "arms": arms}


def changes(trials: Trials, trial: Trial) -> dict[str, Any]:
    """Compare the weights at the ends of successive stages of a trial."""
    parts = [trial.stages[: n + 1] for n in range(len(trial.stages))]
    files = [trials.stage_folder(trial.seed, part).stage_file(part[-1].name) for part in parts]
    models = [load_model(file)[0] for file in files]
    names = [
        f"{name}.weight"
        for name, layer in models[-1].quantizable()
        if isinstance(layer.weight_quant, Ternary)
    ]
    weights = [[model.named_arrays()[name] for name in names] for model in models]
    steps = list(zip(weights, weights[1:], strict=False))
    codes = [[Ternary().encode(w).codes for w in group] for group in weights[-2:]]
    different = sum(int((a != b).sum()) for a, b in zip(*codes, strict=True))
    return {
        "change": {
            stage.name: relative_change(before, after)
            for stage, (before, after) in zip(trial.stages[1:], steps, strict=True)
        },
        "codes": different / sum(w.size for w in weights[-1]),
    }


def relative_change(before: Weights, after: Weights) -> float:
    """Return |after - before| / |before| over all arrays together."""
    old, new = (
        np.concatenate([w.ravel() for w in group]).astype(float) for group in (before, after)
    )
    return float(np.linalg.norm(new - old) / np.linalg.norm(old))


def remade(page: str) -> str:
    """Return the page with the table made anew: percent, mean ± standard deviation over seeds."""
    lines = [HEAD]
    for arm, seeds in json.loads(STORE.read_text(encoding="utf-8"))["arms"].items():
        moved = {name: [seed["change"][name] for seed in seeds] for name in seeds[0]["change"]}
        *between, last = (f"{name} {_percent(values)}" for name, values in moved.items())
        codes = _percent([seed["codes"] for seed in seeds])
        lines.append([arm, ", ".join(between), last, codes])
    return rewrite(page, MARK, table(lines))


def _percent(values: list[float]) -> str:
    return f"{100 * mean(values):.1f} ± {100 * stdev(values):.1f}"


if __name__ == "__main__":
    main()
