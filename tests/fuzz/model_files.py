"""A small good file of each format of weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import mutations as m
from tests.fuzz.format import SMALL, Format, digest

HERE = Path(__file__).parent


def model() -> Any:
    """Return a model of a thousand weights."""
    import tervit_np as tv

    return tv.create_model("deit_shapes", seed=1, **SMALL)


def make_npz(folder: Path) -> None:
    """Save a quantized model."""
    import tervit_np as tv

    net = model()
    tv.quantize(net, "ternary")
    tv.save_checkpoint(net, folder / "x.npz", extra={"classes": ["a", "b", "c"]})


def read_npz(folder: Path) -> str:
    """Load a model."""
    import tervit_np as tv

    net, extra = tv.load_model(folder / "x.npz")
    return digest(*net.state_dict().values(), extra)


def make_packed(plan: str) -> Callable[[Path], None]:
    """Export a quantized model."""

    def make(folder: Path) -> None:
        import tervit_np as tv
        from tervit_np.quant import named_plan

        net = model()
        tv.quantize(net, named_plan(plan))
        if plan.endswith("-static"):
            size = SMALL["image_size"]
            tv.calibrate(net, np.random.default_rng(0).normal(size=(4, 3, size, size)))
        tv.export(net, folder / "x.packed", extra={"classes": ["a", "b", "c"]})

    return make


def read_packed(folder: Path) -> str:
    """Load a packed model."""
    from tervit_np.deploy import load_packed

    packed = load_packed(folder / "x.packed")
    return digest(packed.model.config, packed.extra)


def packed_texts(content: bytes, rng: m.Generator) -> bytes:
    """Change a description in a packed file, and its SHA-256."""
    from tervit_np.deploy.writing import checksum

    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    texts = header.pop("__metadata__")
    key = str(rng.choice([key for key in texts if key not in ("sha256", "format")]))
    texts[key] = json.dumps(m.json_value(json.loads(texts[key]), rng))
    kinds = {"F32": "<f4", "U8": "u1", "I8": "i1", "F16": "<f2"}
    arrays = {
        name: np.frombuffer(
            content[8 + size :][slice(*entry["data_offsets"])], kinds[entry["dtype"]]
        ).reshape(entry["shape"])
        for name, entry in header.items()
    }
    texts["sha256"] = checksum(arrays, texts)
    text = json.dumps({"__metadata__": texts, **header}).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def make_safetensors(folder: Path) -> None:
    """Save weights as other programs do."""
    import tervit_np as tv

    tv.save_safetensors(model().state_dict(), folder / "x.safetensors", {"format": "pt"})


def read_weights(name: str, **options: bool) -> Callable[[Path], str]:
    """Read weights of any format."""

    def read(folder: Path) -> str:
        import tervit_np as tv

        return digest(*tv.load_checkpoint(folder / name, **options).items())

    return read


def copied(source: str, name: str) -> Callable[[Path], None]:
    """Take a file that another program has written."""
    path = HERE.parent / "checkpoints" / "formats" / source

    def make(folder: Path) -> None:
        shutil.copyfile(path, folder / name)

    return make


MODELS = {
    "npz": Format(
        make_npz,
        read_npz,
        (m.zip_members(m.npy_header), m.zip_members(m.npy_json, "meta"),
         m.zip_members(m.any_bytes)),
        checked=True,
    ),
    **{
        name: Format(
            make_packed(plan), read_packed, (packed_texts, m.safetensors_header), checked=True
        )
        for name, plan in {
            "packed": "ternary",
            "packed-int4": "int4",
            "packed-static": "ternary-static",
            "packed-groups": "ternary-group8",
            "packed-ftervit": "ftervit",
        }.items()
    },
    "safetensors": Format(
        make_safetensors, read_weights("x.safetensors"), (m.safetensors_header,)
    ),
    "pth": Format(
        copied("small.pth", "x.pth"),
        read_weights("x.pth"),
        (m.zip_members(m.pickled, "data.pkl"), m.zip_members(m.any_bytes, "data.pkl"),
         m.zip_members(m.any_bytes)),
    ),
    "pth-lenient": Format(
        copied("small.pth", "x.pth"),
        read_weights("x.pth", lenient=True),
        (m.zip_members(m.pickled, "data.pkl"), m.zip_members(m.any_bytes, "data.pkl")),
    ),
    "pth-legacy": Format(
        copied("small_older.pth", "x.pth"), read_weights("x.pth", lenient=True), (m.pickled,)
    ),
}  # fmt: skip
