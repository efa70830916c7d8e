"""Measure trained models with dynamic and with static scales of activations.

    tervit train
    tervit train --data cifar10 --stages float:4,ternary:3
    python benchmarks/calibration.py runs/shapes runs/cifar10 --out docs/calibration.json
    python docs/make_calibration.py

Of each run, the float stage with float weights and the ternary stage with ternary ones, on the
whole test split. The inputs of all matrices, the first and the last layer included, get 8 and then
4 bits. Static scales are found on 256 training pictures, drawn with three seeds; nothing is
trained. Each result is stored as soon as it is measured, and what is stored is not measured again.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tervit_np as tv
from data_tools import ImageSet, StreamedSet
from tervit_np.cli.model_images import images_for
from tervit_np.cli.models import open_model
from tervit_np.environment import environment, usable_cores
from tervit_np.files import write_text
from tervit_np.models import Classifier
from tervit_np.quant import CALIBRATIONS, IDENTITY, PLANS, Plan, Quantizer, StaticAct, UniformAct
from tervit_np.train.run_config import without_options
from tervit_np.train.static_scales import PICTURES, calibration_images

BITS, SEEDS = (8, 4), (0, 1, 2)
STAGES = ("float", "ternary")


class Way(NamedTuple):
    """How inputs are quantized."""

    name: str
    bits: int
    act: Quantizer
    rule: str = ""  # of calibration, for static inputs
    seed: int = 0  # of the calibration pictures


def ways() -> Iterator[Way]:
    """Yield float inputs, then for each number of bits all dynamic and static scales."""
    yield Way("float", 32, IDENTITY)
    for bits in BITS:
        for per in ("token", "tensor"):
            yield Way(f"dynamic, {per}", bits, UniformAct(bits, per=per))
        for rule in CALIBRATIONS:
            for seed in SEEDS:
                yield Way(f"static, {rule}", bits, StaticAct(bits), rule, seed)


def plan_of(stage: str, act: Quantizer) -> Plan:
    """Return float or ternary weights (8 bits in the first and the last layer), these inputs."""
    if stage == "float":
        return Plan([(pattern, IDENTITY, act) for pattern, _, _ in PLANS["int8"].rules])
    return Plan([(pattern, weight, act) for pattern, weight, _ in PLANS["ternary"].rules])


def measure(
    model: Classifier, stage: str, way: Way, train: ImageSet | StreamedSet, test: Any
) -> dict[str, Any]:
    """Quantize, calibrate and evaluate."""
    tv.quantize(model, plan_of(stage, way.act))
    if way.rule:
        tv.calibrate(model, calibration_images(train, PICTURES, way.seed), way.rule)
    result = tv.train.evaluate(model, test, threads=usable_cores())
    return {"accuracy": result.accuracy, "loss": result.loss}


def main(runs: list[str], out: Path) -> None:
    """Measure what is not stored yet."""
    record: dict[str, Any] = {"environment": environment(), "pictures": PICTURES, "rows": []}
    if out.exists():
        record["rows"] = json.loads(out.read_text())["rows"]
    for run in runs:
        command = json.loads((Path(run) / "run.json").read_text())["command"]
        command = without_options(command, "--out", "--threads", "--workers")  # they change no bit
        for stage in STAGES:
            loaded = open_model(run, stage)
            train, test = (images_for(loaded, None, split) for split in ("train", "test"))
            for way in ways():
                key = {"data": test.name, "stage": stage, "bits": way.bits, "inputs": way.name}
                key |= {"seed": way.seed}
                if any(key.items() <= row.items() for row in record["rows"]):
                    continue
                row = {**key, "command": command, "images": len(test)}
                row |= measure(loaded.model, stage, way, train, test)
                record["rows"].append(row)
                write_text(out, json.dumps(record, indent=1))
                print(row, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN", help="finished run folders")
    parser.add_argument("--out", type=Path, default=Path("docs/calibration.json"))
    args = parser.parse_args()
    main(args.runs, args.out)
