"""What docs/*.json store for figures: the loss between two solutions, and measured kernels."""

import json
from typing import Any

from figure_data import ROOT


def crossing_curves() -> dict[str, Any]:
    """Return both losses between the solutions, where they cross, and the stairs."""
    stored = json.loads((ROOT / "docs" / "surface_cifar10.json").read_text("utf-8"))
    curves = {curve["name"]: curve for curve in stored["interpolation"]["curves"]}
    stairs = stored["stairs"]
    return {
        **{name: {key: curves[name][key] for key in ("x", "loss", "error")} for name in curves},
        "crossings": stored["interpolation"]["crossings"],
        "stairs": {
            "x": stairs["curve"]["x"],
            "loss": stairs["curve"]["loss"],
            "changed": [int(count) for count in stairs["changed"]],
            "codes": stairs["codes"],
        },
    }


def roofline_measured() -> dict[str, Any]:
    """Return peaks, bandwidth and variants of one Zen 4 core."""
    stored = json.loads((ROOT / "docs" / "bench_zen4.json").read_text("utf-8"))
    measured = stored["variants"]["results"]
    variants = {variant["name"]: variant for variant in measured["variants"]}
    peak = variants.pop("peak")
    return {
        "peak": peak["speed"],
        "float_peak": measured["limits"]["float32"],
        "bandwidth": measured["limits"]["read"]["memory"],
        "variants": [{key: v[key] for key in ("name", "speed", "loop")} for v in variants.values()],
    }
