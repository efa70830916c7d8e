"""Models with the official architectures and names, by name, with or without quantizers."""

from tervit_np.models.calibration import calibrate, make_inputs_static, with_fixed_inputs
from tervit_np.models.classifier import Classifier, Logits
from tervit_np.models.deit import DeiT, DeiTConfig
from tervit_np.models.initialization import initialize
from tervit_np.models.quantization import plan_of, quantize
from tervit_np.models.registry import (
    CONFIGS,
    Config,
    build,
    config_from,
    create_model,
    list_models,
)
from tervit_np.models.swin import Swin
from tervit_np.models.swin_config import SwinConfig

__all__ = [
    "calibrate",
    "CONFIGS",
    "Classifier",
    "Config",
    "DeiT",
    "DeiTConfig",
    "Logits",
    "Swin",
    "SwinConfig",
    "build",
    "config_from",
    "create_model",
    "initialize",
    "list_models",
    "make_inputs_static",
    "plan_of",
    "quantize",
    "with_fixed_inputs",
]
