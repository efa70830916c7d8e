"""What is measured so far, on disk: a measurement that is stopped goes on from there.

One JSON file for each measurement, written whole or not at all. It carries a fingerprint of all
that the numbers depend on (weights, quantizers, directions, images, points); parts of another
measurement are never taken for its own.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.files import write_text
from tervit_np.models import Classifier


class Parts:
    """Finished parts of measurements in a folder; without a folder nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def load(self, name: str, fingerprint: str) -> dict[str, Any]:
        """Return the parts of a measurement that are finished, by their own names."""
        if self.folder is None:
            return {}
        try:
            stored = json.loads(self._file(name).read_text())
            return dict(stored["parts"]) if stored["fingerprint"] == fingerprint else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # absent or damaged: measured again

    def save(self, name: str, fingerprint: str, parts: dict[str, Any]) -> None:
        """Store all finished parts of a measurement."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"fingerprint": fingerprint, "parts": parts})
            write_text(self._file(name), text)

    def clear(self) -> None:
        """Remove the parts, once the result that they led to is stored."""
        if self.folder is not None and self.folder.exists():
            for file in self.folder.glob("*.json"):
                file.unlink()
            self.folder.rmdir()

    def _file(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}.json"


def pack(values: Array) -> str:
    """Write float32 numbers as text, exactly."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def unpack(text: str) -> Array:
    """Read them back."""
    return np.frombuffer(base64.b64decode(text), "<f4")


def fingerprint(models: Iterable[Classifier], arrays: Iterable[Any], *facts: Any) -> str:
    """Digest everything a measurement depends on."""
    digest = hashlib.sha256(repr(facts).encode())
    for model in models:
        digest.update(repr((model.config, model.dtype)).encode())
        for _, layer in model.quantizable():
            digest.update(repr((layer.weight_quant, layer.act_quant)).encode())
        for _, param in model.named_params():
            digest.update(param.data.tobytes())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
