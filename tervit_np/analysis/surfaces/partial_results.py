"""Partial results on disk, from which a stopped measurement continues.

One JSON file for each measurement, written atomically. It stores a fingerprint of all inputs of the
measurement (weights, quantizers, directions, images, points); the results of other inputs are not
used.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.files import make_folder, write_text
from tervit_np.json_files import load_json
from tervit_np.models import Classifier
from tervit_np.quant import Identity, Quantizer
from tervit_np.quant.spec import quantizer_to_spec

_LONGEST = 1 << 28  # bytes of a file, with the logits of many points


class PartialResults:
    """Results of finished tasks, in a folder; without a folder they are not stored."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def load(self, name: str, fingerprint: str) -> dict[str, Any]:
        """Return the stored results of a measurement.  -> {task: result}."""
        if self.folder is None:
            return {}
        try:
            stored = load_json(self._file(name), dict, _LONGEST)
            return dict(stored["parts"]) if stored["fingerprint"] == fingerprint else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # missing or damaged: measured again

    def save(self, name: str, fingerprint: str, results: dict[str, Any]) -> None:
        """Store the results of a measurement."""
        if self.folder is not None:
            make_folder(self.folder)
            text = json.dumps({"fingerprint": fingerprint, "parts": results})
            write_text(self._file(name), text)

    def clear(self) -> None:
        """Remove all results, once the final ones are stored, and what killed processes left."""
        if self.folder is not None and self.folder.exists():
            for pattern in ("*.json", ".*.json.*.partial"):
                for file in self.folder.glob(pattern):
                    file.unlink()
            with suppress(OSError):  # files of somebody else stay, and so does the folder
                self.folder.rmdir()

    def _file(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}.json"


def pack(values: Array) -> str:
    """Encode float32 numbers as text, exactly."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def unpack(text: str) -> Array:
    """Decode the numbers."""
    return np.frombuffer(base64.b64decode(text), "<f4")


def fingerprint(models: Iterable[Classifier], arrays: Iterable[Any], *facts: Any) -> str:
    """Hash all inputs of a measurement."""
    digest = hashlib.sha256(repr(facts).encode())
    for model in models:
        digest.update(repr((model.config, model.dtype)).encode())
        for _, layer in model.quantizable():
            digest.update(_exactly(layer.weight_quant, layer.act_quant))
        for name, norm in model.norms():
            if not isinstance(norm.gamma_quant, Identity):
                digest.update(name.encode() + _exactly(norm.gamma_quant))
        for array in model.named_arrays().values():
            digest.update(array.tobytes())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _exactly(*quantizers: Quantizer) -> bytes:
    """Describe quantizers with every digit of their arguments, some of which `repr` leaves out."""
    return repr([(q, quantizer_to_spec(q)) for q in quantizers]).encode()
