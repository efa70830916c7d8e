"""Models in the official shape, their registry and their initialization."""

from tervit_np.models.adaptation import pretrained, transfer
from tervit_np.models.checkpoint import load_model, save_checkpoint
from tervit_np.models.classifier import Classifier
from tervit_np.models.deit import DeiT, DeiTConfig
from tervit_np.models.formats.safetensors import save_safetensors
from tervit_np.models.initialization import initialize
from tervit_np.models.quantization import quantize
from tervit_np.models.reading import load_checkpoint
from tervit_np.models.registry import CONFIGS, build, config_from, create_model, list_models
from tervit_np.models.swin import Swin, SwinConfig

__all__ = [
    "CONFIGS",
    "Classifier",
    "DeiT",
    "DeiTConfig",
    "Swin",
    "SwinConfig",
    "build",
    "config_from",
    "create_model",
    "initialize",
    "list_models",
    "pretrained",
    "transfer",
    "load_checkpoint",
    "load_model",
    "quantize",
    "save_checkpoint",
    "save_safetensors",
]
