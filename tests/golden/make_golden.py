"""Make the golden files: `python tests/golden/make_golden.py`, with PyTorch installed.

tervit_np/analysis/golden.npz    small models, every gradient in full; shipped with the package
tests/golden/deit_tiny.npz       full-size DeiT-Tiny, plain and distilled, as fingerprints
tests/golden/operators.npz       operators and losses on nasty inputs
tests/golden/training.npz        five clipped AdamW steps of a small distilled model
"""

import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tervit_np.analysis.golden import CASES, inputs  # noqa: E402
from tervit_np.models import CONFIGS  # noqa: E402
from tests.golden.golden import FULL_SIZE, TRAINED, fingerprint  # noqa: E402
from tests.golden.reference import filled, torch_results  # noqa: E402
from tests.golden.torch_deit import TorchDeiT  # noqa: E402
from tests.golden.torch_operators import operators, training  # noqa: E402


def small():
    """Every case in full."""
    arrays = {}
    for case, config in CASES.items():
        results = torch_results(TorchDeiT(config), *inputs(config))
        arrays |= {f"{case}/{name}": value for name, value in results.items()}
    return arrays


def full_size():
    """DeiT-Tiny on two images."""
    arrays = {}
    for model in FULL_SIZE:
        config = CONFIGS[model]
        results = fingerprint(torch_results(TorchDeiT(config), *inputs(config, 2)))
        arrays |= {f"{model}/{name}": value for name, value in results.items()}
    return arrays


if __name__ == "__main__":
    config = CASES[TRAINED]
    made = {
        HERE.parents[1] / "tervit_np" / "analysis" / "golden.npz": small(),
        HERE / "deit_tiny.npz": full_size(),
        HERE / "operators.npz": operators(),
        HERE / "training.npz": training(filled(TorchDeiT(config)), *inputs(config)),
    }
    for file, arrays in made.items():
        np.savez_compressed(file, **arrays)
        print(f"{file.name}: {file.stat().st_size} bytes, PyTorch {torch.__version__}")
