"""Where the time of a packed model goes, operator by operator, for one image on one thread.

    taskset -c 0 python benchmarks/packed_profile.py deit_small_patch16_224

Each operator of each block runs alone, several times, on the workspace that the block computes in.
Times are processor time. What the blocks leave of a whole prediction is outside them: patch
embedding, merging of patches, the last norm, the head, and Python.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it and slow NumPy down

import argparse  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from tempfile import TemporaryDirectory  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

import tervit_np as tv  # noqa: E402
from tervit_np.analysis.macs import ternary_macs  # noqa: E402
from tervit_np.bench.peak import PEAK, peak_candidate  # noqa: E402
from tervit_np.environment import processor_name  # noqa: E402
from tervit_np.kernels import selected_variant  # noqa: E402
from tervit_np.kernels.block import (  # noqa: E402
    attend_heads,
    first_rows,
    linear_all_panels,
    run_block,
)
from tervit_np.kernels.fused import gelu_quantize, residual_layernorm_quantize  # noqa: E402
from tervit_np.kernels.gather import gather_tokens, scatter_tokens  # noqa: E402
from tervit_np.kernels.quantize import quantize_rows  # noqa: E402
from tervit_np.kernels.team import round_up  # noqa: E402
from tervit_np.kernels.workspace import windows_per_pass  # noqa: E402


def milliseconds(call: Callable[[], Any], rounds: int = 9) -> float:
    """Return the median processor time of a call."""
    call()
    times = []
    for _ in range(rounds):
        start = time.thread_time_ns()
        call()
        times.append(time.thread_time_ns() - start)
    return 1e-6 * median(times)


def operators(session: Any, w: Any, x: Any) -> Iterator[tuple[str, Callable[[], Any], float]]:
    """Yield the operators of a block for one image: name, call, how often it runs."""
    tile, shared, private = session.tile, session.shared[0], session.private[0]
    (windows, window_tokens), dim = w.token_index.shape, x.shape[1]
    together = min(windows_per_pass(window_tokens), windows)
    tokens, passes = together * window_tokens, windows / together
    yield "gather", lambda: gather_tokens(x, w.token_index, shared, 0, 0, tokens, tile.mr), passes
    step = min(round_up(tokens, tile.mr), private.hidden.shape[0])
    steps = passes * tokens / step
    some, branch = shared.x[:step], shared.branch[:step]
    norm, hidden, inputs = w.norm1, private.hidden[:step], w.fc1.panels.outputs
    q, hidden_q = first_rows(private.tokens, step), first_rows(private.hidden_tokens, step)
    for layer in (w.qkv, w.fc1):
        scale = layer.panels.input_scale
        yield "LayerNorm, rounding", lambda scale=scale: residual_layernorm_quantize(
            some, branch, norm.gamma, norm.beta, w.eps, scale, q), steps  # fmt: skip
    yield "products", lambda: linear_all_panels(tile, q, w.qkv, shared.qkv[:step]), steps
    yield "attention", lambda: attend_heads(w, shared, private, 0, together, 0, 1), passes
    yield "rounding", lambda: quantize_rows(
        shared.attn_out[:step], dim, w.proj.panels.input_scale, q), steps  # fmt: skip
    yield "products", lambda: linear_all_panels(tile, q, w.proj, branch), steps
    yield "products", lambda: linear_all_panels(tile, q, w.fc1, hidden), steps
    yield "GELU, rounding", lambda: gelu_quantize(
        hidden, w.gelu_erf, inputs, w.fc2.panels.input_scale, hidden_q), steps  # fmt: skip
    yield "products", lambda: linear_all_panels(tile, hidden_q, w.fc2, branch), steps
    yield "scatter", lambda: scatter_tokens(x, w.token_index, shared, 0, 0, tokens), passes


def profile(name: str) -> None:
    """Print the time of each operator of a model, and its share."""
    model = tv.quantize(tv.create_model(name), "ternary")
    size, operations = model.config.image_size, 2.0 * ternary_macs(model)
    with TemporaryDirectory() as folder:
        tv.export(model, Path(folder) / "packed.safetensors")
        packed = tv.load_packed(Path(folder) / "packed.safetensors", threads=1)
    images = np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32)
    total = milliseconds(lambda: packed.predict(images))
    parts: dict[str, float] = defaultdict(float)
    in_blocks = 0.0
    stages = getattr(packed.model, "layers", [packed.model])
    for blocks in (stage.blocks for stage in stages):
        session = blocks._local.session
        for w in blocks._weights:
            tokens = np.random.default_rng(1).normal(size=(w.token_index.size, len(w.norm1.gamma)))
            x = tokens.astype(np.float32)
            in_blocks += milliseconds(lambda w=w, x=x, session=session: run_block(
                session.tile, w, x, session.shared[0], session.private[0], 0,
                len(w.token_index), 0, 1), 5)  # fmt: skip
            for part, call, count in operators(session, w, x):
                parts[part] += count * milliseconds(call)
    parts["outside the blocks"] = total - in_blocks
    print(f"{name}, {processor_name()}, kernel {selected_variant()}: {total:.1f} ms")
    for peak in peak_candidate(operations).values():
        print(f"  {PEAK:<24}{milliseconds(peak, 5):8.2f} ms")
    for part, ms in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"  {part:<24}{ms:8.2f} ms{100 * ms / total:8.1f} %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Where the time of a packed model goes.")
    parser.add_argument("models", nargs="*", default=["deit_small_patch16_224"])
    for model_name in parser.parse_args().models:
        profile(model_name)
