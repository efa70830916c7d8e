"""Packed files: quantized models written to small files, and loaded to run from packed weights."""

from tervit_np.deploy.loading import PackedModel, is_packed, load_packed, stored_plan
from tervit_np.deploy.writing import export

__all__ = ["PackedModel", "export", "is_packed", "load_packed", "stored_plan"]
