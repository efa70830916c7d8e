"""tervit_np: ternary vision transformers, forward and backward by hand, in NumPy.

    import tervit_np as tv
    model = tv.create_model("deit_cifar")
    logits, cache = model.forward(images)                     # (B, 3, 32, 32) -> (B, 10)
    loss, dlogits = tv.losses.cross_entropy(logits, labels)
    model.backward(dlogits, cache)                            # adds into every param.grad
    tv.quantize(model, "ternary")                             # same latent weights, ternary forward

Names are imported on first use, so that `import tervit_np` is fast and the command line can set the
number of threads before NumPy starts.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_SUBMODULES = (
    "analysis",
    "checkpoints",
    "compiled",
    "deploy",
    "kernels",
    "losses",
    "models",
    "nn",
    "ops",
    "quant",
    "train",
    "verify",
)
_MODULE_OF = {
    "backend": "backends",
    "calibrate": "models",
    "create_model": "models",
    "list_models": "models",
    "quantize": "models",
    "DeiT": "models",
    "DeiTConfig": "models",
    "Swin": "models",
    "SwinConfig": "models",
    "save_checkpoint": "checkpoints",
    "save_safetensors": "checkpoints",
    "load_checkpoint": "checkpoints",
    "load_model": "checkpoints",
    "pretrained": "checkpoints",
    "transfer": "checkpoints",
    "export": "deploy",
    "load_packed": "deploy",
    "AdamW": "train",
    "clip_grad_norm": "train",
}
__all__ = [
    "AdamW",
    "DeiT",
    "DeiTConfig",
    "Swin",
    "SwinConfig",
    "__version__",
    "analysis",
    "backend",
    "calibrate",
    "checkpoints",
    "clip_grad_norm",
    "compiled",
    "create_model",
    "deploy",
    "export",
    "kernels",
    "list_models",
    "load_checkpoint",
    "load_model",
    "load_packed",
    "losses",
    "models",
    "nn",
    "ops",
    "pretrained",
    "quant",
    "quantize",
    "save_checkpoint",
    "save_safetensors",
    "train",
    "transfer",
    "verify",
]

if TYPE_CHECKING:  # a type checker finds misspelt names only where it sees no __getattr__
    from tervit_np import (
        analysis,
        checkpoints,
        compiled,
        deploy,
        kernels,
        losses,
        models,
        nn,
        ops,
        quant,
        train,
        verify,
    )
    from tervit_np.backends import backend
    from tervit_np.checkpoints import (
        load_checkpoint,
        load_model,
        pretrained,
        save_checkpoint,
        save_safetensors,
        transfer,
    )
    from tervit_np.deploy import export, load_packed
    from tervit_np.models import (
        DeiT,
        DeiTConfig,
        Swin,
        SwinConfig,
        calibrate,
        create_model,
        list_models,
        quantize,
    )
    from tervit_np.train import AdamW, clip_grad_norm
else:

    def __getattr__(name: str) -> Any:
        if name in _SUBMODULES:
            return importlib.import_module(f"tervit_np.{name}")
        if name in _MODULE_OF:
            value = getattr(importlib.import_module(f"tervit_np.{_MODULE_OF[name]}"), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module 'tervit_np' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
