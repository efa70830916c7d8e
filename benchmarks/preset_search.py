"""Candidates for the CIFAR-10 presets, compared on 5,000 training pictures that are held out.

    python benchmarks/preset_search.py --epochs 2
    python benchmarks/preset_search.py --only "fused;2 heads"
    python benchmarks/preset_search.py --preset cifar10-long --epochs 10

Each candidate differs from the first of its preset in the settings that its name says. All train
for as many epochs, on the other 45,000 pictures. The test pictures choose nothing: only the
accuracy on the held-out ones is kept. Candidates that the file of results has already are not
trained again.

docs/preset_search.json was measured at commit a0251e8, where the 5,000 pictures were drawn from all
classes together; now 500 of each are drawn. So this makes other numbers, in another file.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down

import argparse  # noqa: E402
import json  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import tervit_np as tv  # noqa: E402
from tervit_np.environment import environment  # noqa: E402
from tervit_np.train import Recipe, Stage, load_data, run  # noqa: E402
from tervit_np.train.presets import PRESETS  # noqa: E402

HELD_OUT = "of each class its share"
BASE: dict[str, Any] = {
    "dim": 64,
    "heads": 4,
    "schedule": "fused",
    "lr": 2e-3,
    "ratio": 2.5,
    "batch": 128,
    "decay": 0.05,
}
CANDIDATES: dict[str, dict[str, dict[str, Any]]] = {
    "cifar10": {
        "fused": {},
        "scratch": {"schedule": "scratch"},
        "rates x 2": {"lr": 4e-3},
        "Muon x 2": {"ratio": 5.0},
        "2 heads and rates x 4": {"heads": 2, "lr": 8e-3},
        "2 heads": {"heads": 2},
    },
    "cifar10-long": {  # heads of 32 channels, and the augmentation of that preset
        "width 128": {"dim": 128},
        "width 160": {"dim": 160, "heads": 5},
        "width 192": {"dim": 192, "heads": 6},
        "width 128, rates / 2": {"dim": 128, "lr": 2e-3},
        "width 192, rates / 2": {"dim": 192, "heads": 6, "lr": 2e-3},
        "width 192, rates / 4": {"dim": 192, "heads": 6, "lr": 1e-3},
    },
}


def stages(schedule: str, epochs: float, lr: float) -> list[Stage]:
    """Return the stages of a candidate, `epochs` in all."""
    if schedule == "scratch":
        return [Stage("ternary", "ternary", epochs, lr=lr)]
    return [  # one schedule for both: constant, then a cosine
        Stage("float", "float", 0.3 * epochs, lr=lr, warmup=0.15, final_lr=1.0),
        Stage("ternary", "ternary", 0.7 * epochs, lr=lr, warmup=0.0, optimizer="keep"),
    ]


def settings_of(preset: str, name: str) -> dict[str, Any]:
    """Return all settings of a candidate."""
    base = BASE if preset == "cifar10" else BASE | {"depth": 4, "lr": 4e-3}
    return base | CANDIDATES[preset][name]


def train(
    preset: str, settings: dict[str, Any], epochs: float, seed: int, threads: int
) -> dict[str, Any]:
    """Train a candidate.  -> accuracy on the held-out pictures, CPU seconds."""
    data = load_data("cifar10", 5000, seed)
    config = {key: settings[key] for key in ("dim", "depth", "heads") if key in settings}
    model = tv.create_model("deit_cifar_conv", seed=seed, **config)
    recipe = Recipe(
        batch_size=settings["batch"],
        optimizer="muon",
        muon_ratio=settings["ratio"],
        weight_decay=settings["decay"],
        augment=PRESETS[preset].recipe.augment,
    )
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        run(
            model,
            stages(settings["schedule"], epochs, settings["lr"]),
            data,
            folder,
            recipe=recipe,
            seed=seed,
            threads=threads,
        )
        lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    held_out = [r for r in map(json.loads, lines) if r["kind"] == "eval"][-1]
    return {
        "accuracy": held_out["accuracy"],
        "loss": held_out["loss"],
        "cpu_seconds": round(time.process_time() - began),
    }


def main() -> None:
    """Train the candidates that the file lacks; print and store their accuracies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=tuple(CANDIDATES), default="cifar10")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", help="names of candidates, with a semicolon between them")
    parser.add_argument("--out", type=Path, default=Path("preset_search.json"))
    args = parser.parse_args()
    record = json.loads(args.out.read_text()) if args.out.exists() else {"held_out": HELD_OUT}
    if record["held_out"] != HELD_OUT:
        parser.error(f"{args.out} was measured on other pictures; choose another file with --out")
    results = record.setdefault("results", [])
    names = args.only.split(";") if args.only else list(CANDIDATES[args.preset])
    if unknown := set(names) - set(CANDIDATES[args.preset]):
        known = "; ".join(CANDIDATES[args.preset])
        parser.error(f"--only: no candidate is named {unknown.pop()!r}; there are {known}")
    for name in names:
        settings = settings_of(args.preset, name)
        key = {"name": name, "epochs": args.epochs, "seed": args.seed, **settings}
        if any(key.items() <= result.items() for result in results):
            continue
        results.append(key | train(args.preset, settings, args.epochs, args.seed, args.threads))
        record["environment"] = environment()
        args.out.write_text(json.dumps(record, indent=1) + "\n")
        print(f"{name:22}{100 * results[-1]['accuracy']:6.2f} %", flush=True)


if __name__ == "__main__":
    main()
