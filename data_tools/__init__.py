"""Data for image classification: found, decoded, cached, augmented. Knows nothing of models."""

from data_tools.augment import Augment
from data_tools.datasets import Known, known_sets, load
from data_tools.fetch import get
from data_tools.imageset import DataError, ImageSet, LabelledSet, NoSuchSplit
from data_tools.paths import data_root
from data_tools.preprocess import normalise, preprocess
from data_tools.streamed import StreamedSet

__all__ = [
    "Augment",
    "DataError",
    "ImageSet",
    "Known",
    "LabelledSet",
    "NoSuchSplit",
    "StreamedSet",
    "data_root",
    "get",
    "known_sets",
    "load",
    "normalise",
    "preprocess",
]
