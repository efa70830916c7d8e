"""Time the reading of official weights, in each of their file formats.

    taskset -c 0 python benchmarks/checkpoints.py

It needs PyTorch, which writes the files.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)

import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

import tervit_np as tv  # noqa: E402
from tervit_np.ops import relative_position_index, shift_mask  # noqa: E402

MODELS = ("deit_tiny_patch16_224", "swin_tiny_patch4_window7_224")


def write(name: str, folder: Path) -> list[Path]:
    """Write a model with the buffers of the official files.  -> .pth, older .pth, .safetensors."""
    import torch

    model = tv.create_model(name)
    state = model.state_dict()
    for stage, depth in enumerate(getattr(model.config, "depths", ())):
        side = model.config.sides[stage]
        for block in range(depth):
            prefix = f"layers.{stage}.blocks.{block}"
            index = np.array(relative_position_index(7), np.int64)
            state[f"{prefix}.attn.relative_position_index"] = index
            if block % 2 and side > 7:
                state[f"{prefix}.attn_mask"] = np.array(shift_mask(side, side, 7, 3), np.float32)
    files = [folder / f"{name}{end}" for end in (".pth", "_older.pth", ".safetensors")]
    tensors = {"model": {key: torch.from_numpy(value) for key, value in state.items()}}
    torch.save(tensors, files[0])
    torch.save(tensors, files[1], _use_new_zipfile_serialization=False)
    tv.save_safetensors(state, files[2])
    return files


def main() -> None:
    """Write the files, then read each three times, in a process for each file."""
    if len(sys.argv) > 1:
        load_checkpoint = tv.load_checkpoint  # imports its modules before the clock starts
        for _ in range(3):
            start = time.perf_counter()
            load_checkpoint(sys.argv[1])
            print(f"{1e3 * (time.perf_counter() - start):8.0f}", end="")
        print(" ms")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            for file in write(name, Path(folder)):
                print(f"{file.name:<42}{file.stat().st_size / 1e6:6.1f} MB", end="", flush=True)
                subprocess.run([sys.executable, __file__, str(file)], check=True)


if __name__ == "__main__":
    main()
