"""Data sets for image classification: download, decode, cache, augment; independent of models."""

from data_tools.augment import Augment
from data_tools.datasets import DatasetInfo, list_datasets, load
from data_tools.fetch import fetch_dataset
from data_tools.imageset import DataError, ImageSet, LabelledSet, NoSuchSplit
from data_tools.paths import data_root
from data_tools.preprocess import normalise, preprocess
from data_tools.streamed import StreamedSet

__all__ = [
    "Augment",
    "DataError",
    "ImageSet",
    "DatasetInfo",
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
