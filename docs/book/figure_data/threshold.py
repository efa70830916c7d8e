"""One row of a trained model, for the page of threshold and scale."""

from typing import Any

from figure_data.vit import unpacked

LAYER, ROW = "blocks.1.mlp.fc2", 3


def trained_rows(models: dict[str, str]) -> dict[str, Any]:
    """Return the row before and after ternary training, codes of 8 bits with their scale."""
    found = {}
    for source in ("float", "latent"):
        arrays, _ = unpacked(models[source])
        codes, scale = arrays[f"{LAYER}.codes"][ROW], arrays[f"{LAYER}.scale"][ROW]
        found[source] = {"codes": codes.tolist(), "scale": float(scale)}
    return found
