"""`tervit eval`: the accuracy of a saved model."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tervit_np.models import Classifier

EXAMPLES = """examples:
  tervit eval runs/shapes                     the last stage of a run, on its own test split
  tervit eval runs/shapes --stage float       another stage
  tervit eval runs/cifar10/ternary.npz        a file
  tervit eval runs/shapes --split val"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "eval",
        help="measure a saved model",
        description="Measure accuracy and loss of a saved model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="RUN_OR_FILE", help="run folder, or a stage's .npz")
    parser.add_argument("--stage", help="stage of a run (default: the last one)")
    parser.add_argument("--data", help="data set (default: the one it was trained on)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--threads", type=int, help="threads (default: all cores)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print."""
    import data_tools
    from tervit_np.environment import usable_cores
    from tervit_np.train import evaluate

    file = model_file(args.model, args.stage)
    model, extra = load(file)
    images = data_tools.load(args.data or extra["data"], args.split)
    if images.images.shape[1] != model.config.image_size:
        raise ValueError(
            f"{images.name} has {images.images.shape[1]}-pixel images, {file} expects "
            f"{model.config.image_size}"
        )
    found = evaluate(model, images, threads=args.threads or usable_cores())
    right = found.logits.argmax(axis=1) == images.labels
    width = max(map(len, images.classes))
    for label, name in enumerate(images.classes):
        mine = images.labels == label
        if mine.any():
            print(f"  {name:<{width}}  {100 * right[mine].mean():5.1f} %  of {mine.sum()}")
    print(
        f"{file}: {images.name} {images.split} accuracy {100 * found.accuracy:.2f} ± "
        f"{100 * found.error:.2f} %, loss {found.loss:.4f}"
    )
    return 0


def model_file(place: str, stage: str | None) -> Path:
    """Find the file of a model: itself, or a stage of a run (the last finished one)."""
    path = Path(place)
    if not path.is_dir():
        if stage is not None:
            raise ValueError(f"{path} is no run folder, so --stage {stage} has nothing to choose")
        return path
    from tervit_np.train.folder import RunFolder

    folder = RunFolder(path)
    names = [s["name"] for s in folder.read_request()["stages"]]
    done = [name for name in names if folder.stage_file(name).exists()]
    if not done:
        raise ValueError(f"{path}: no stage is finished; continue with `tervit train --resume`")
    if stage is not None and stage not in done:
        raise ValueError(f"{path}: no finished stage {stage!r}; there are {', '.join(done)}")
    return folder.stage_file(stage or done[-1])


def load(file: Path) -> "tuple[Classifier, dict[str, Any]]":
    """Load a model that knows its data set and classes."""
    from tervit_np.models import load_model

    model, extra = load_model(file)
    for key in ("data", "classes", "mean", "std"):
        if key not in extra:
            raise ValueError(f"{file}: does not say its {key}; `tervit train` writes files that do")
    return model, extra
