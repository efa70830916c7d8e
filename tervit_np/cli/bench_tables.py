"""What `tervit bench` prints: tables of measurements, and inner loops."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tervit_np.bench.baselines import Comparison
    from tervit_np.bench.models import ModelComparison
    from tervit_np.bench.variants import VariantTable

MACHINE = ("kernel", "processor", "blas", "numpy", "torch")  # what is printed of an environment
_COLUMNS = {  # heads of columns: names of times
    "numpy": "numpy float32", "numba": "numba float32", "torch": "torch float32",
    "bf16": "torch bfloat16", "int8": "torch int8", "int_mm": "torch _int_mm",
    "ort": "onnxruntime MatMulInteger", "ggml": "ggml TQ2_0", "1thread": "one thread",
}  # fmt: skip


def print_machine(machine: dict[str, str]) -> None:
    """Print the machine of a measurement, and a warning if other programs were running."""
    print("  ".join(f"{key} {machine[key]}" for key in MACHINE))
    if float(machine["load"]) > 1:
        print(f"other programs were running (load {machine['load']}): long calls look too slow")


def print_layers(rows: "Iterable[Comparison]") -> "list[Comparison]":
    """Print how many times faster the ternary layer is, shape by shape."""
    printed: list[Comparison] = []
    for row in rows:
        if not printed:
            print(
                f"{'tokens x in x out':<18}{'us':>8}{'GOP/s':>7}{'of peak':>9}   times faster than"
            )
            _print_heads(row.times, 42)
        printed.append(row)
        shape = f"{row.tokens}x{row.inputs}x{row.outputs}"
        us, cells = 1e6 * row.times["ternary"].median, _cells(row)
        peak = _percent(row.fraction_of_peak)
        print(f"{shape:<18}{us:>8.0f}{row.speed:>7.0f}{peak:>9}{cells}", flush=True)
    return printed


def print_models(rows: "Iterable[ModelComparison]") -> "list[ModelComparison]":
    """Print how many times faster the packed model is, by batch size and kind of attention."""
    from tervit_np.bench.models import ATTENTION

    printed: list[ModelComparison] = []
    for row in rows:
        if not printed:
            print(f"{row.model}, threads: {row.threads}")
            heads = f"{'batch':<6}{'attention':<10}{'ms':>8}{'ms/image':>10}{'of peak':>9}"
            print(f"{heads}   times faster than")
            _print_heads(row.times, 43)
        printed.append(row)
        for packed, attention in ATTENTION.items():
            if packed not in row.times:
                continue
            ms = 1e3 * row.times[packed].median
            peak = _percent(row.fraction_of_peak(packed))
            start = f"{row.batch:<6}{attention:<10}{ms:>8.1f}{ms / row.batch:>10.1f}{peak:>9}"
            print(start + _cells(row, packed), flush=True)
    return printed


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.0f} %"


def _print_heads(times: dict[str, Any], indent: int) -> None:
    timed = [head for head, name in _COLUMNS.items() if any(t.startswith(name) for t in times)]
    print(" " * indent + "".join(f"{head:>8}" for head in timed))


def _cells(row: Any, *packed: str) -> str:
    """Return the ratios of a row to all baselines that were timed."""
    timed = [name for name in _COLUMNS.values() if any(t.startswith(name) for t in row.times)]
    if packed and "attention" in packed[0]:  # one thread was timed with attention in float32 only
        timed = [name for name in timed if name != "one thread"]
    return "".join(f"{row.ratio(name, *packed):>8.2f}" for name in timed)


def print_variants(table: "VariantTable") -> None:
    """Print the limits of the CPU, and each variant."""
    limits = table.limits
    read = ", ".join(f"{level} {speed:.0f}" for level, speed in limits.read.items())
    print(f"reading, GB/s: {read}; float32 multiply-adds, GOP/s: {limits.float32:.0f}")
    print(f"{'197x384x1536':<13}{'GOP/s':>7}{'of peak':>9}{'op/byte':>9}   inner loop")
    for variant in table.variants:
        fraction = variant.fraction_of_peak
        peak = "" if fraction is None else f"{100 * fraction:.1f} %"
        intensity = "" if variant.intensity is None else f"{variant.intensity:.0f}"
        loop = ", ".join(f"{count} {name}" for name, count in list(variant.loop.items())[:5])
        print(f"{variant.name:<13}{variant.speed:>7.1f}{peak:>9}{intensity:>9}   {loop}")


def print_assembly(variant: str) -> None:
    """Print each instruction of an inner loop with its explanation."""
    from tervit_np.bench import cross_compile
    from tervit_np.bench.assembly import explain, find_inner_loop, inner_loop
    from tervit_np.kernels import runnable

    elsewhere = variant in cross_compile.TARGETS and variant not in runnable()
    if variant == "arm" or elsewhere:
        lines = find_inner_loop(cross_compile.assembly("generic" if variant == "arm" else variant))
    else:
        lines = inner_loop(variant)
    if not lines:
        print(f"{variant}: NumPy computes the product; there is no inner loop to print")
    for line in lines:
        print(f"{line.expandtabs(14):<56}{explain(line)}")
