"""What a mixed plan is worth: 8 bits for sensitive layers, for random ones, for none.

    python benchmarks/mixed_plans.py                seeds 0, 1, 2; about half an hour on two cores
    python benchmarks/mixed_plans.py 3 4            these seeds, added to the stored ones
    python docs/make_sensitivity.py                 then the page from what is stored

For each seed a float model is trained on the embedded set for 20 epochs, `tervit sensitivity` is
measured on the validation split, and then each plan is trained for 8 epochs from the same weights,
with the same learning rate and the same order of images. Before that, plans chosen by other scores
are only evaluated, at several sizes. Accuracies are of the test split, which chooses nothing.

Results go to docs/mixed_plans.json seed by seed. Trainings are in runs/mixed-plans and continue
there after Ctrl-C.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tervit_np as tv
from tervit_np.analysis import sensitivity
from tervit_np.analysis.sensitivity import Layer, Sensitivity
from tervit_np.analysis.sizes import sizes
from tervit_np.analysis.surfaces.measure import draw_sample
from tervit_np.environment import environment, usable_cores
from tervit_np.files import write_text
from tervit_np.models import Classifier
from tervit_np.quant import PLANS, Plan
from tervit_np.train import PRESETS, Data, Stage, evaluate, load_data
from tervit_np.train.folder import RunFolder

STORE = Path(__file__).parents[1] / "docs" / "mixed_plans.json"
RUNS = Path("runs/mixed-plans")
FLOAT = Stage("float", "float", 20, lr=2e-3)
EPOCHS, RATE = 8, 1e-3  # of each plan; those of the preset's ternary stage
TRAINED_SHARE = 0.25  # of the way from all ternary to all 8 bits
SHARES = (0.1, 0.25, 0.5)  # of the plans that are only evaluated
DRAWS = 6  # random plans for each of them
THREADS = usable_cores()
SCORES: dict[str, Callable[[Layer], float]] = {
    "rise": lambda layer: layer.rise["ternary"].change,
    "relief": lambda layer: layer.relief.change,
    "mean of both": sensitivity.benefit,
}


def main(seeds: list[int]) -> None:
    """Run the seeds that are not stored."""
    data = load_data("shapes")
    stored = json.loads(STORE.read_text()) if STORE.exists() else {"seeds": {}}
    for seed in seeds:
        if str(seed) not in stored["seeds"]:
            stored["seeds"][str(seed)] = result_of(seed, data)
            stored |= {"command": "python benchmarks/mixed_plans.py", "machine": environment()}
            write_text(STORE, json.dumps(stored, indent=1) + "\n")


def result_of(seed: int, data: Data) -> dict[str, Any]:
    """Train and evaluate everything of one seed.  -> JSON."""
    start = trained(tv.create_model("deit_shapes", seed=seed), FLOAT, seed, data)
    assert data.val is not None
    model, _ = tv.load_model(folder_of(seed, "float").stage_file("float"))
    measured = sensitivity.measure(model, *draw_sample(data.val, len(data.val), 0))
    untrained = [
        evaluated(model, measured, share, score, names, data)
        for share in SHARES
        for score, names in chosen_by_scores(measured, share, seed)
    ]
    arms = {}
    for arm, plan in arms_of(measured, seed).items():
        model, _ = tv.load_model(folder_of(seed, "float").stage_file("float"))
        stage = Stage(arm, plan, EPOCHS, lr=RATE)
        arms[arm] = {**trained(model, stage, seed, data), **description(plan, model)}
        print(f"seed {seed}, {arm}: {100 * arms[arm]['accuracy']:.2f} %", flush=True)
    return {
        "float": start,
        "layers": {
            layer.name: {
                "rise": round(layer.rise["ternary"].change, 5),
                "relief": round(layer.relief.change, 5),
                "bytes": sensitivity.extra_bytes(layer),
            }
            for layer in measured.layers
        },
        "untrained": untrained,
        "arms": arms,
    }


def arms_of(measured: Sensitivity, seed: int) -> dict[str, Plan]:
    """Return the plans that are trained; the last two have equal bytes."""
    budget = sensitivity.budget_of_share(measured, TRAINED_SHARE)
    mixed = sensitivity.choose_layers(measured, budget)
    drawn = random_layers(measured, sensitivity.size_with(measured, mixed), [seed, 0])
    return {
        "all_ternary": plan_with(measured, []),
        "paper": PLANS["ternary"],  # patch embedding and head in 8 bits
        "sensitive": plan_with(measured, mixed),
        "random": plan_with(measured, drawn),
    }


def plan_with(measured: Sensitivity, names: list[str]) -> Plan:
    """Return the plan with these layers in 8 bits and the others ternary."""
    return sensitivity.plan_and_notes(measured, names)[0]


def chosen_by_scores(measured: Sensitivity, share: float, seed: int) -> list[tuple[str, list[str]]]:
    """Choose layers by each score, and at random.  -> (score, names) of each plan."""
    budget = sensitivity.budget_of_share(measured, share)
    chosen = [
        (score, sensitivity.choose_layers(measured, budget, of)) for score, of in SCORES.items()
    ]
    draws = [[seed, i, round(100 * share)] for i in range(DRAWS)]
    return chosen + [("random", random_layers(measured, budget, draw)) for draw in draws]


def random_layers(measured: Sensitivity, budget: int, draw: list[int]) -> list[str]:
    """Choose layers in a random order, each if it fits, until at most 1 kB is left."""
    rng = np.random.default_rng([0x3E1, *draw])
    names = [layer.name for layer in measured.layers]
    best: list[str] = []
    for _ in range(100):
        chosen: list[str] = []
        for name in rng.permutation(names):
            if sensitivity.size_with(measured, [*chosen, name]) <= budget:
                chosen.append(str(name))
        if sensitivity.size_with(measured, chosen) > sensitivity.size_with(measured, best):
            best = chosen
        if budget - sensitivity.size_with(measured, best) <= 1000:
            break
    return best


def evaluated(
    model: Classifier,
    measured: Sensitivity,
    share: float,
    score: str,
    names: list[str],
    data: Data,
) -> dict[str, Any]:
    """Evaluate a plan without training it.  -> JSON."""
    tv.quantize(model, plan_with(measured, names))
    result = evaluate(model, data.test, threads=THREADS)
    return {
        "share": share,
        "score": score,
        "bytes": sensitivity.size_with(measured, names),
        "loss": round(result.loss, 5),
        "accuracy": result.accuracy,
    }


def description(plan: Plan, model: Classifier) -> dict[str, Any]:
    """Return which layers have 8 bits, and the bytes."""
    tv.quantize(model, plan)
    eight = [
        name
        for name, layer in model.quantizable()
        if layer.weight is not None and layer.weight_quant.bits == 8
    ]
    return {"8 bits": eight, "bytes": sizes(model).stored}


def folder_of(seed: int, name: str) -> RunFolder:
    """Return the run folder of a stage."""
    return RunFolder(RUNS / f"{name}-{seed}")


def trained(model: Classifier, stage: Stage, seed: int, data: Data) -> dict[str, float]:
    """Train one stage, or continue it.  -> test accuracy and loss, before and after."""
    folder = folder_of(seed, stage.name)
    resume = (folder.path / "run.json").exists()
    recipe = PRESETS["shapes"].recipe
    (result,) = tv.train.run(
        model, [stage], data, folder.path, resume, recipe=recipe, seed=seed, threads=THREADS
    )
    return {key: value for key, value in result._asdict().items() if key != "stage"}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2])
    main(parser.parse_args().seeds)
