"""One row of a trained model, for the page of threshold and scale."""

import base64
import tempfile
from pathlib import Path
from typing import Any

from tervit_np.checkpoints.formats.safetensors import read_safetensors

LAYER, ROW = "blocks.1.mlp.fc2", 3


def trained_rows(models: dict[str, str]) -> dict[str, Any]:
    """Return the row before and after ternary training, codes of 8 bits with their scale."""
    found = {}
    for source in ("float", "latent"):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "packed.safetensors"
            file.write_bytes(base64.b64decode(models[source]))
            arrays, _ = read_safetensors(file)
        codes, scale = arrays[f"{LAYER}.codes"][ROW], arrays[f"{LAYER}.scale"][ROW]
        found[source] = {"codes": codes.tolist(), "scale": float(scale)}
    return found
