"""Packed files: quantized models written to small files, and loaded to run from packed weights."""

from tervit_np.deploy.loading import PackedModel, is_packed, load_packed, stored_plan
from tervit_np.deploy.trained import DEFAULT_MODEL, TRAINED_MODELS, trained_model
from tervit_np.deploy.writing import can_be_packed, export

__all__ = [
    "DEFAULT_MODEL",
    "TRAINED_MODELS",
    "PackedModel",
    "can_be_packed",
    "export",
    "is_packed",
    "load_packed",
    "stored_plan",
    "trained_model",
]
