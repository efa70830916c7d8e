"""Checkpoints: our .npz files, official weights in their formats, transfer between sizes."""

from tervit_np.checkpoints.adaptation import pretrained, transfer
from tervit_np.checkpoints.formats.safetensors import read_safetensors, save_safetensors
from tervit_np.checkpoints.npz import load_model, save_checkpoint
from tervit_np.checkpoints.reading import load_checkpoint

__all__ = [
    "load_checkpoint",
    "load_model",
    "pretrained",
    "read_safetensors",
    "save_checkpoint",
    "save_safetensors",
    "transfer",
]
