"""What no file can describe: classes of a user, and settings changed after a model was built.

A file describes a model by its class and its configuration. A reader builds that model and loads
the weights, so that it would compute something else.
"""

from tervit_np.models.classifier import Classifier
from tervit_np.models.registry import MODELS, build

_IN_TRAINING_ALONE = ("drop_rate",)


def own_part(model: Classifier) -> str:
    """Say what a reader would not build, "the class my.MLP" or "norm.eps = 0.1"; "" if nothing."""
    name = own_class(model)
    return f"the class {name}" if name else changed_setting(model)


def own_class(model: Classifier) -> str:
    """Name the first class of a model or its modules that is not of this package; "" if all are.

    No file can describe what such a class computes, even where it has the name of another.
    """
    for _, module in model.named_modules():
        kind = type(module)
        if not kind.__module__.startswith("tervit_np."):
            return f"{kind.__module__}.{kind.__qualname__}"
    return ""


def changed_setting(model: Classifier) -> str:
    """Name the first setting of a module that its configuration does not give; "" if there is none.

    A setting is a number or a word, such as the `eps` of a LayerNorm or the heads of an attention.
    """
    if MODELS.get(type(model).__name__, (None, None))[1] is not type(model.config):
        return ""
    built = dict(build(model.config, None, model.dtype).named_modules())
    for name, module in model.named_modules():
        for key, value in vars(built.get(name, module)).items():
            if isinstance(value, int | float | str) and key not in _IN_TRAINING_ALONE:
                own = getattr(module, key, None)
                if own != value:
                    return f"{name}.{key} = {own!r}"
    return ""
