"""The trained ternary models that the package contains, as packed files.

    tv.load_packed("cifar10")        tervit predict photo.jpg        tervit eval shapes

Each has a model card beside it, trained_models/NAME.md, with its data, recipe, accuracy and limits.
`docs/make_trained_models.py` trains and makes both.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "trained_models"
TRAINED_MODELS = ("cifar10", "shapes")
DEFAULT_MODEL = "cifar10"  # of photographs


def trained_model(name: str) -> Path | None:
    """Return the packed file of a model that the package contains, None for any other name."""
    return FOLDER / f"{name}.safetensors" if name in TRAINED_MODELS else None
