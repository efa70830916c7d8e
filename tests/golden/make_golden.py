"""Make the golden files: `python tests/golden/make_golden.py`, with PyTorch installed.

tervit_np/verify/golden.npz      small models, every gradient in full; shipped with the package
tests/golden/full_size.npz       four models at 224 pixels, as fingerprints
tests/golden/operators.npz       operators and losses on edge cases
tests/golden/swin.npz            small Swin models as fingerprints
tests/golden/training.npz        five clipped AdamW steps of a small distilled model
tests/checkpoints/formats/small*      a small Swin with its buffers in three forms of file
"""

import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tervit_np.checkpoints import save_safetensors  # noqa: E402
from tervit_np.models import CONFIGS, Swin, SwinConfig  # noqa: E402
from tervit_np.ops import relative_position_index, shift_mask  # noqa: E402
from tervit_np.verify.golden import CASES, inputs  # noqa: E402
from tests.golden.golden import FULL_SIZE, SWIN_CASES, TRAINED, fingerprint  # noqa: E402
from tests.golden.reference import filled, torch_results  # noqa: E402
from tests.golden.torch_deit import TorchDeiT  # noqa: E402
from tests.golden.torch_operators import operators, training  # noqa: E402
from tests.golden.torch_swin import TorchSwin  # noqa: E402


def reference(config):
    """Build the model in PyTorch."""
    return (TorchSwin if isinstance(config, SwinConfig) else TorchDeiT)(config)


def small():
    """Run every case of tervit_np.verify.golden."""
    arrays = {}
    for case, config in CASES.items():
        results = torch_results(reference(config), *inputs(config))
        arrays |= {f"{case}/{name}": value for name, value in results.items()}
    return arrays


def full_size():
    """Run models of full size on two images."""
    arrays = {}
    for model in FULL_SIZE:
        config = CONFIGS[model]
        results = fingerprint(torch_results(reference(config), *inputs(config, 2)))
        arrays |= {f"{model}/{name}": value for name, value in results.items()}
    return arrays


def swin():
    """Run every Swin case.  -> fingerprints."""
    arrays = {}
    for case, config in SWIN_CASES.items():
        results = fingerprint(torch_results(TorchSwin(config), *inputs(config, 2)))
        arrays |= {f"{case}/{name}": value for name, value in results.items()}
    return arrays


def files():
    """Write one small Swin as PyTorch would in both containers, and as .safetensors."""
    folder = HERE.parent / "checkpoints" / "formats"
    config = SwinConfig(8, 1, 3, 4, (1, 2), (1, 2), window=4, mlp_ratio=1.0)
    model = Swin(config, np.random.default_rng(0))
    state = model.state_dict()
    index = np.ascontiguousarray(relative_position_index(4), dtype=np.int64)
    state |= {f"layers.{s}.blocks.{b}.attn.relative_position_index": index
              for s, depth in enumerate(config.depths) for b in range(depth)}  # fmt: skip
    state["layers.0.blocks.0.attn_mask"] = np.array(shift_mask(8, 8, 4, 2), np.float32)
    save_safetensors(state, folder / "small.safetensors")
    tensors = {"model": {name: torch.from_numpy(array) for name, array in state.items()}}
    torch.save(tensors, folder / "small.pth")
    torch.save(tensors, folder / "small_older.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    files()
    config = CASES[TRAINED]
    outputs = {
        HERE.parents[1] / "tervit_np" / "verify" / "golden.npz": small(),
        HERE / "full_size.npz": full_size(),
        HERE / "operators.npz": operators(),
        HERE / "swin.npz": swin(),
        HERE / "training.npz": training(filled(TorchDeiT(config)), *inputs(config)),
    }
    for file, arrays in outputs.items():
        np.savez_compressed(file, **arrays)
        print(f"{file.name}: {file.stat().st_size} bytes, PyTorch {torch.__version__}")
