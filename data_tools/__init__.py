"""Data sets for image classification: download, decode, cache, augment; independent of models.

Names are imported on first use, so that who needs one module does not wait for all.
"""

import importlib
from typing import TYPE_CHECKING, Any

_MODULE_OF = {
    "Augment": "augment",
    "DataError": "imageset",
    "DatasetInfo": "datasets",
    "ImageSet": "imageset",
    "LabelledSet": "imageset",
    "NoSuchSplit": "imageset",
    "StreamedSet": "streamed",
    "data_root": "paths",
    "fetch_dataset": "fetch",
    "list_datasets": "datasets",
    "load": "datasets",
    "normalise": "preprocessing",
    "preprocess": "preprocessing",
}
__all__ = [
    "Augment",
    "DataError",
    "DatasetInfo",
    "ImageSet",
    "LabelledSet",
    "NoSuchSplit",
    "StreamedSet",
    "data_root",
    "fetch_dataset",
    "list_datasets",
    "load",
    "normalise",
    "preprocess",
]

if TYPE_CHECKING:  # a type checker finds misspelt names only where it sees no __getattr__
    from data_tools.augment import Augment
    from data_tools.datasets import DatasetInfo, list_datasets, load
    from data_tools.fetch import fetch_dataset
    from data_tools.imageset import DataError, ImageSet, LabelledSet, NoSuchSplit
    from data_tools.paths import data_root
    from data_tools.preprocessing import normalise, preprocess
    from data_tools.streamed import StreamedSet
else:

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'data_tools' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"data_tools.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
