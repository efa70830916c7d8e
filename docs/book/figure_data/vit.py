"""The transformer that runs in a page: models, pictures, and what the library answers.

vit_models    packed files: the trained ternary model, and with 8 bits the weights of its float
              stage and the latent weights of its ternary stage
vit_cifar10   the package's CIFAR-10 model, its test accuracy, its logits of one picture a class
vit_pictures  the first test pictures of each class, and the ternary model's logits in float64
vit_accuracy  right answers on the whole test set, for each setting of the page
vit_numpy     lines of the library that the page shows
"""

import ast
import base64
import inspect
import itertools
import json
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tervit_np as tv
from data_tools import ImageSet, load, normalise
from tervit_np import ops
from tervit_np.arrays import Array
from tervit_np.checkpoints import load_model
from tervit_np.checkpoints.formats.safetensors import read_safetensors
from tervit_np.deploy import base3, export
from tervit_np.models import Classifier, build
from tervit_np.models.registry import config_from
from tervit_np.nn import Block
from tervit_np.ops.gelu import gaussian_cdf
from tervit_np.ops.linear import _matmul
from tervit_np.quant import IDENTITY, Plan, UniformAct, UniformWeight, ternarize
from tervit_np.quant.plan import ENCODER, FIRST_AND_LAST
from tervit_np.quant.ternarize import ternarize_rows
from tervit_np.quant.uniform import symmetric_codes
from tervit_np.train.evaluate import evaluate

PICTURES_PER_CLASS = 4
BITS = (8, 7, 6, 5, 4, 3, 2)
FACTORS = tuple(round(0.1 * i, 1) for i in range(21))  # thresholds, in units of mean|w|
TRAINED = Path(tv.__file__).parent / "deploy" / "trained_models"
GRANULARITIES = {"channel": "channel", "layer": "tensor"}
SOURCES = ("float", "latent")
Setting = dict[str, Any]  # {"bits": 2 to 8 or "ternary", "factor": ..., "granularity": ...}


def packed_files(run: Path) -> dict[str, str]:
    """Export the models of a run.  -> base64 of each packed file."""
    latent, meta = load_model(run / "ternary.npz")
    ternary = _exported(latent, run)
    float_weights, _ = load_model(run / "float.npz")
    return {
        "ternary": ternary,
        "float": _exported(tv.quantize(float_weights, "int8"), run),
        "latent": _exported(tv.quantize(latent, "int8"), run),
    }


def _exported(model: Classifier, run: Path) -> str:
    data = json.loads((run / "run.json").read_text("utf-8"))["data"]
    extra = {"data": data["name"]} | {key: data[key] for key in ("classes", "mean", "std")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packed.safetensors"
        export(model, file, extra=extra)
        return base64.b64encode(file.read_bytes()).decode()


def chosen_pictures() -> ImageSet:
    """Take the first test pictures of each class: first one of each, then the next of each."""
    test = load("shapes", "test")
    rows = [np.flatnonzero(test.labels == c)[:PICTURES_PER_CLASS] for c in range(len(test.classes))]
    return test.take(np.transpose(rows).ravel())


def picture_data(packed: str) -> dict[str, Any]:
    """Return pictures, uint8 (N, S, S, 3) in base64, with their labels and a model's logits."""
    pictures = chosen_pictures()
    return {
        "labels": pictures.labels.tolist(),
        "pixels": base64.b64encode(pictures.images.tobytes()).decode(),
        "logits": logits(packed, pictures).tolist(),
    }


def cifar10_model() -> dict[str, Any]:
    """Return the packed file, what its card says, and logits of the first pictures of shapes."""
    packed = base64.b64encode((TRAINED / "cifar10.safetensors").read_bytes()).decode()
    card = (TRAINED / "cifar10.md").read_text("utf-8")
    result = re.search(r"test accuracy \| ([\d.]+) % of ([\d,]+) pictures", card)
    assert result is not None
    pictures = chosen_pictures()
    one_of_each = pictures.take(np.arange(len(pictures.classes)))
    return {
        "packed": packed,
        "percent": float(result[1]),
        "of": int(result[2].replace(",", "")),
        "logits": logits(packed, one_of_each).tolist(),
    }


def unpacked(packed: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a packed file from its base64.  -> arrays, metadata."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packed.safetensors"
        file.write_bytes(base64.b64decode(packed))
        return read_safetensors(file)


def rounded_model(
    packed: str, setting: Setting | None = None, dtype: str = "float64"
) -> Classifier:
    """Return a model whose weights are on their grid already, and whose inputs have 8 bits.

    With `setting`, the weights of the blocks are rounded anew, as the page does it.
    """
    arrays, metadata = unpacked(packed)
    model = build(config_from("DeiT", json.loads(metadata["config"])), None, dtype)
    layers = {f"{name}.weight": name for name, layer in model.quantizable() if layer.weight}
    for name, param in model.named_params():
        if name not in layers:
            param.data[...] = arrays[name]
            continue
        codes = arrays[f"{layers[name]}.codes"]
        if codes.dtype == np.uint8:
            codes = base3.decode(codes, param.data.size)
        scale = arrays[f"{layers[name]}.scale"].astype(np.float64)
        matrix = codes.reshape(len(param.data), -1).astype(np.float64)
        if setting is not None and ".blocks." in f".{name}":
            matrix, scale = _rounded(matrix, scale, setting)
        param.data[...] = (matrix * scale.reshape(-1, 1)).reshape(param.shape)
    inputs_alone = Plan([(f"{ENCODER}|{FIRST_AND_LAST}", IDENTITY, UniformAct(8))])
    return tv.quantize(model, inputs_alone)


def _rounded(codes: Array, scale: Array, setting: Setting) -> tuple[Array, Array]:
    """Round a weight, codes (O, I) times scales (O,), to other codes and scales.

    A row by itself is rounded without its scale: thresholds and steps move with it, and means of
    whole numbers are the same in every order of summation.
    """
    if setting["granularity"] == "layer":
        codes, scale = codes * scale[:, None], np.ones(1)
    if setting["bits"] == "ternary":
        per = GRANULARITIES[setting["granularity"]]
        new = ternarize(codes, granularity=per, threshold=float(setting["factor"]))
        return new.codes.astype(np.float64), new.scale * scale
    new_codes, new_scale, _ = UniformWeight(
        setting["bits"], GRANULARITIES[setting["granularity"]]
    ).encode(codes)
    return new_codes.astype(np.float64), new_scale * scale


def logits(packed: str, pictures: ImageSet) -> Array:
    """Classify pictures in float64.  -> (N, C)."""
    extra = json.loads(unpacked(packed)[1]["extra"])
    return rounded_model(packed).predict(normalise(pictures.images, extra["mean"], extra["std"]))


def settings() -> Iterator[Setting]:
    """Yield each setting of the page."""
    for granularity in GRANULARITIES:
        for bits in BITS:
            yield {"bits": bits, "granularity": granularity}
        for factor in FACTORS:
            yield {"bits": "ternary", "factor": factor, "granularity": granularity}


def key(source: str, setting: Setting) -> str:
    """Name a setting, as the page does."""
    rule = setting["bits"] if setting["bits"] != "ternary" else f"ternary {setting['factor']:.1f}"
    return f"{source} {rule} {setting['granularity']}"


def packed_answers(packed: str, test: ImageSet) -> int:
    """Count the test pictures that the packed file classifies correctly, on integer kernels."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packed.safetensors"
        file.write_bytes(base64.b64decode(packed))
        images = normalise(test.images, test.mean, test.std)
        predicted = tv.load_packed(file).predict(images).argmax(axis=1)
    return int((predicted == test.labels).sum())


def correct_answers(packed: str, setting: Setting, test: ImageSet) -> int:
    """Count the test pictures that the library classifies correctly, in float32."""
    result = evaluate(rounded_model(packed, setting, "float32"), test)
    return round(result.accuracy * len(test))


def accuracy(files: dict[str, str]) -> dict[str, Any]:
    """Count the right answers on the whole test set, for each setting: takes minutes."""
    test = load("shapes", "test")
    correct = {"ternary": packed_answers(files["ternary"], test)}
    for source, setting in itertools.product(SOURCES, settings()):
        name = key(source, setting)
        correct[name] = correct_answers(files[source], setting, test)
        print(f"{name}: {correct[name]} of {len(test)}", flush=True)
    return {"correct": correct, "of": len(test)}


NUMPY: dict[str, tuple[Callable[..., Any], ...]] = {
    "quantizeRows": (symmetric_codes,),
    "linear": (_matmul,),
    "layernorm": (ops.layernorm,),
    "attention": (ops.attention,),
    "softmax": (ops.softmax,),
    "gelu": (ops.gelu, gaussian_cdf),
    "patchify": (ops.patchify,),
    "runBlock": (Block.forward,),
    "decodeBase3": (base3._decode_all_bytes,),
    "ternarize": (ternarize_rows,),
}


def numpy_lines() -> dict[str, str]:
    """Return the lines of the library that each function of the page repeats."""
    return {name: "\n\n".join(map(formulas, found)) for name, found in NUMPY.items()}


def formulas(function: Callable[..., Any]) -> str:
    """Return a function without its docstring, its checks and its way to compiled code."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    tree = ast.parse("\n".join(lines)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    left_out = [node for node in tree.body if _is_no_formula(node)]
    gone = {n for node in left_out for n in range(node.lineno, (node.end_lineno or 0) + 1)}
    kept = (line for n, line in enumerate(lines, 1) if n not in gone)
    return "\n".join(line for line in kept if not line.strip().startswith("# exercise"))


def _is_no_formula(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # the docstring
    if not isinstance(node, ast.If | ast.For):
        return False
    text = ast.unparse(node)
    return any(words in text for words in ("compiled(", "integer_engine(", "raise "))
