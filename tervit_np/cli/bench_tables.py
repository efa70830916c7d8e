"""What `tervit bench` prints: tables of measurements, and inner loops."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tervit_np.bench.baselines import Comparison
    from tervit_np.bench.models import ModelComparison
    from tervit_np.bench.variants import Ladder

_COLUMNS = {  # heads of columns and the names that they stand for
    "numpy": "numpy float32", "numba": "numba float32", "torch": "torch float32",
    "bf16": "torch bfloat16", "int8": "torch int8", "int_mm": "torch _int_mm",
    "ort": "onnxruntime MatMulInteger", "ggml": "ggml TQ2_0", "1thread": "one thread",
}  # fmt: skip


def print_machine(machine: dict[str, str]) -> None:
    """Print what was measured on, and whether others ran beside."""
    words = ("kernel", "processor", "blas", "numpy", "torch")
    print("  ".join(f"{key} {machine[key]}" for key in words))
    if float(machine["load"]) > 1:
        print(f"other programs ran here (load {machine['load']}), so long calls look too slow")


def print_layers(rows: "Iterable[Comparison]") -> "list[Comparison]":
    """Print how many times faster the ternary layer is, shape by shape."""
    found: list[Comparison] = []
    for row in rows:
        if not found:
            print(
                f"{'tokens x in x out':<18}{'us':>8}{'GOP/s':>7}{'of peak':>9}   times faster than"
            )
            _print_heads(row.times, 42)
        found.append(row)
        shape = f"{row.tokens}x{row.inputs}x{row.outputs}"
        us, cells = 1e6 * row.times["ternary"].median, _cells(row)
        print(f"{shape:<18}{us:>8.0f}{row.speed:>7.0f}{_percent(row.share):>9}{cells}", flush=True)
    return found


def print_models(rows: "Iterable[ModelComparison]") -> "list[ModelComparison]":
    """Print how many times faster the packed model is, batch by batch, in both of its forms."""
    from tervit_np.bench.models import OURS

    found: list[ModelComparison] = []
    for row in rows:
        if not found:
            print(f"{row.model}, threads: {row.threads}")
            heads = f"{'batch':<6}{'attention':<10}{'ms':>8}{'ms/image':>10}{'of peak':>9}"
            print(f"{heads}   times faster than")
            _print_heads(row.times, 43)
        found.append(row)
        for ours, words in zip(OURS, ("float32", "int8"), strict=True):
            ms = 1e3 * row.times[ours].median
            share = _percent(row.share(ours))
            start = f"{row.batch:<6}{words:<10}{ms:>8.1f}{ms / row.batch:>10.1f}{share:>9}"
            print(start + _cells(row, ours), flush=True)
    return found


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _print_heads(times: dict[str, Any], indent: int) -> None:
    here = [head for head, name in _COLUMNS.items() if any(t.startswith(name) for t in times)]
    print(" " * indent + "".join(f"{head:>8}" for head in here))


def _cells(row: Any, *ours: str) -> str:
    """Return the ratios of a row to all that was timed."""
    timed = [name for name in _COLUMNS.values() if any(t.startswith(name) for t in row.times)]
    if ours and "int8" in ours[0]:  # one thread was timed with attention in float32 only
        timed = [name for name in timed if name != "one thread"]
    return "".join(f"{row.ratio(name, *ours):>8.2f}" for name in timed)


def print_ladder(ladder: "Ladder") -> None:
    """Print limits and rungs."""
    limits = ladder.limits
    read = ", ".join(f"{place} {speed:.0f}" for place, speed in limits.read.items())
    print(f"reading, GB/s: {read}; float32 multiply-adds, GOP/s: {limits.float32:.0f}")
    print(f"{'197x384x1536':<13}{'GOP/s':>7}{'of peak':>9}{'op/byte':>9}   inner loop")
    for variant in ladder.variants:
        share = "" if variant.share is None else f"{100 * variant.share:.1f} %"
        each = "" if variant.intensity is None else f"{variant.intensity:.0f}"
        loop = ", ".join(f"{count} {name}" for name, count in list(variant.loop.items())[:5])
        print(f"{variant.name:<13}{variant.speed:>7.1f}{share:>9}{each:>9}   {loop}")


def print_assembly(variant: str) -> None:
    """Print each instruction of an inner loop with what it is for."""
    from tervit_np.bench import arm
    from tervit_np.bench.assembly import explained, inner_loop, innermost
    from tervit_np.kernels import isa, supported

    elsewhere = variant in ("neon", "sdot", "usdot") and variant not in supported(isa.features())
    if variant == "arm" or elsewhere:
        lines = innermost(arm.assembly("generic" if variant == "arm" else variant))
    else:
        lines = inner_loop(variant)
    if not lines:
        print(f"{variant}: the product is one call of NumPy; there is no inner loop of ours")
    for line in lines:
        print(f"{line.expandtabs(14):<56}{explained(line)}")
