"""Write docs/claims.md: claims of TerViT and of related papers, and what came out here.

    python docs/make_claims.py

docs/claims.toml lists the claims; its head describes the fields. Numbers are read from stored
results; a dead link or a missing number ends the script, and tests/test_claims_page.py.
"""

import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import make_paper_map as paper_map  # noqa: E402
from make_paper_map import DEIT, SWIN, dead_links, link, megabytes, row  # noqa: E402
from stored_numbers import ROOT, contrast, minus, paired, stored, stored_number  # noqa: E402

from tervit_np.analysis.comparison.statistics import Summary  # noqa: E402
from tervit_np.deploy.trained import FOLDER  # noqa: E402
from tervit_np.models import CONFIGS  # noqa: E402
from tervit_np.train import PRESETS  # noqa: E402

DATA, PAGE = ROOT / "docs" / "claims.toml", ROOT / "docs" / "claims.md"
TITLES = {"paper": "TerViT", "related": "Related papers"}
VERDICTS = ("reproduced", "reproduced in part", "not reproduced", "not testable here")
FIELDS = {"item", "source", "verdict", "number", "why", "fields", "records", "command"}
FIELDS |= {"code", "tests", "see"}
HEAD = """# Claims, and what came out here

A claim of a paper is *reproduced* if it holds with our models and budgets, and *not reproduced* if
it does not: where it is a difference, that must have the claimed sign, with a 95 % interval over
seeds that leaves 0 out. It is *reproduced in part* if that holds of a part of the claim, or in
some of the settings that were compared, and *not testable here* if no budget of ours reaches it. A
claim that something costs or adds nothing has no such test: there the numbers say how small it is.
Nor has one that was measured on one trained model: "one run" says so there, and other trainings
may differ.

"Not reproduced" does not refute a paper, which trains models a hundred times larger, for longer,
and an interval that contains 0 does not show that there is no difference: every value in it fits
the runs. It says what a small model and a small budget should expect. A *planned* contrast was in
the plan before its training; a difference without that word may have been looked at when results
were known. Many intervals are on this page, and of those whose true difference is 0 one in twenty
leaves 0 out. So "five fresh seeds" repeat leads; a difference below 0 was repeated only where they
are named with it. All seeds of a comparison see the same training and test pictures, and no
interval covers others.

Every number is read from a stored record: `python docs/make_claims.py` makes this page from
[claims.toml](claims.toml), and a test fails if a number, a link or a record is missing. In brackets
behind a processor is the code that its NumPy chose, which tells the family: Haswell for processors
with AVX2, SkylakeX for those with AVX-512. Accuracies are of test pictures, in percent. ± is a
standard deviation over seeds; that of a loss is a standard error over pictures.

"""


def read(file: Path = DATA) -> dict[str, list[dict[str, Any]]]:
    """Return the claims by kind."""
    return tomllib.loads(file.read_text(encoding="utf-8"))


def problems(claim: dict[str, Any]) -> list[str]:
    """List what is wrong with a claim: a dead link, a missing number, an unknown field."""
    found = [f"unknown field {name}" for name in sorted(claim.keys() - FIELDS)]
    found += [f"no {name}" for name in ("item", "source", "command") if not claim.get(name)]
    verdict = claim.get("verdict")
    if verdict not in VERDICTS:
        found.append(f"verdict is {verdict!r}")
    if ("number" in claim) == (verdict == "not testable here"):
        found.append("needs a number, unless it is not testable here")
    try:
        texts(claim)
        settings(claim)
    except (KeyError, IndexError, ValueError, OSError) as error:
        found.append(f"number: {error!r}")
    return found + dead_links(claim)


def texts(claim: dict[str, Any]) -> list[str]:
    """Return what came out and why, with their numbers."""
    fields = {name: value_of(source) for name, source in claim.get("fields", {}).items()}
    return [claim[key].format(**fields) for key in ("number", "why") if key in claim]


def value_of(source: str) -> float | Summary:
    """Return a number, of COMPUTED or as in the paper map, or a difference of trainings or arms."""
    if " minus " in source:
        return minus(*source.split(" minus "))
    file, _, path = source.partition("#")
    kind, *names = path.split("/")
    if kind == "paired":
        return paired(file, *names)
    if kind == "contrast" and len(names) == 1:
        return contrast(ROOT / file, *names)
    return number_of(source)


def number_of(source: str) -> float:
    """Return a number: of COMPUTED, or as in the paper map."""
    return COMPUTED[source]() if source in COMPUTED else paper_map.value_of(source)


def input_cost(field: str, data: str, stage: str, bits: int) -> float:
    """Return what inputs of so many bits add to the loss or the accuracy of float inputs."""
    rows = f"docs/calibration.json#rows/data={data}/stage={stage}"
    rounded = stored_number(f"{rows}/bits={bits}/inputs=dynamic, token/{field}")
    return rounded - stored_number(f"{rows}/inputs=float/{field}")


def milliseconds(program: str) -> float:
    """Return the median time of a DeiT-S on one picture and one core."""
    path = f"models/results/model={DEIT}/batch=1/threads=1/times/{program}/median"
    return 1e3 * stored_number(f"docs/bench_zen4.json#{path}")


def epochs(preset: str) -> float:
    """Return the length of all stages of a preset."""
    return sum(stage.epochs for stage in PRESETS[preset].stages)


def length(comparison: str) -> float:
    """Return the epochs of all stages of an arm of a comparison, which all arms have."""
    stages = stored(f"docs/comparisons/{comparison}.json#plan/arms/0/stages")[0]
    return sum(stage["epochs"] for stage in stages)


def times_smaller(name: str, size: float) -> float:
    """Return how often a size in MB goes into that of the model in float32."""
    return 4e-6 * CONFIGS[name].parameters / size


def moved(arm: str, stage: str) -> float:
    """Return how far a stage of rungs.toml moves the weights: percent of their norm, mean."""
    seeds = stored(f"docs/stage_changes.json#arms/{arm}")[0]
    return 100 * fmean(seed["change"][stage] for seed in seeds)


def rounded(comparison: str, arm: str) -> float:
    """Return the validation accuracy right after the rounding of an arm's last stage, percent."""
    path = f"docs/comparisons/{comparison}.json#tested/arm={arm}/stages/stage=ternary"
    return 100 * stored_number(f"{path}/start_accuracy")


INPUTS = [(data, stage) for data in ("cifar10", "shapes") for stage in ("ternary", "float")]
COMPUTED: dict[str, Callable[[], float]] = {
    "rounded_direct": lambda: rounded("activations", "direct"),
    "rounded_weights_first": lambda: rounded("activations", "weights first"),
    "cifar10_epochs": lambda: epochs("cifar10"),
    "cifar10_adamw_epochs": lambda: epochs("cifar10-adamw"),
    "comparison_epochs": lambda: length("main"),
    "share_epochs": lambda: length("share"),
    "share_long_epochs": lambda: length("share-long"),
    "percent_rounded_away": lambda: (
        100
        * stored_number("docs/surface_cifar10.json#predictions/name=ternary, channel-wise/relative")
    ),
    **{
        f"inputs_{data}_{stage}_{bits}": lambda data=data, stage=stage, bits=bits: (
            100 * input_cost("accuracy", data, stage, bits)
        )
        for data, stage in INPUTS
        for bits in (4, 8)
    },
    "inputs_largest_loss_8": lambda: max(input_cost("loss", *which, 8) for which in INPUTS),
    "moved_by_3_bits": lambda: moved("3-bit for two epochs", "3-bit"),
    "moved_by_three_values": lambda: moved("in steps", "ternary"),
    "swin_small_ratio": lambda: times_smaller(SWIN, megabytes(SWIN, "paper")),
    "swin_small_stored_ratio": lambda: times_smaller(SWIN, megabytes(SWIN, "stored")),
    "cifar10_ratio": lambda: times_smaller(
        "deit_cifar_conv_d128", (FOLDER / "cifar10.safetensors").stat().st_size / 1e6
    ),
    "deit_small_packed_ms": lambda: milliseconds("packed"),
    "deit_small_torch_ms": lambda: milliseconds("torch float32"),
    "deit_small_torch_int8_ms": lambda: milliseconds("torch int8 onednn"),
}


def settings(claim: dict[str, Any]) -> list[str]:
    """Return "seeds 0, 1 and 2, PROCESSOR" of each record, without repetitions."""
    found = []
    for source in claim.get("records", []):
        tables = list(tables_of(stored(source)))
        seeds = {int(seed) for table in tables for seed in table.get("seeds", [])}
        seeds = seeds or {table["seed"] for table in tables if "seed" in table}
        words = [f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, sorted(seeds)))}"] * bool(seeds)
        machines = {
            f"{table['processor']} ({table['blas'].removeprefix('OpenBLAS ')})"
            for table in tables
            if "processor" in table
        }
        found.append(", ".join(words + sorted(machines)))
    return list(dict.fromkeys(found))


def tables_of(element: Any) -> Iterator[dict[str, Any]]:
    """Yield every table inside of a record, the outer ones first."""
    if isinstance(element, dict):
        yield element
        element = list(element.values())
    if isinstance(element, list):
        for inner in element:
            yield from tables_of(inner)


def page(claims: dict[str, list[dict[str, Any]]]) -> str:
    """Return the text of docs/claims.md."""
    every = [claim for kind in TITLES for claim in claims[kind]]
    rows = [row(["", "claim", "verdict"]), row(["---"] * 3)]
    rows += [row([str(i), c["item"], c["verdict"]]) for i, c in enumerate(every, 1)]
    parts = [HEAD, "\n".join(rows), "\n\n"]
    for kind, title in TITLES.items():
        parts.append(f"## {title}\n\n")
        parts += [section(every.index(claim) + 1, claim) for claim in claims[kind]]
    return "".join(parts).removesuffix("\n")


def section(number: int, claim: dict[str, Any]) -> str:
    """Return a claim with what came out, why, and how it was measured."""
    *measured, why = texts(claim)
    how = "; ".join([f"`{claim['command']}`", *settings(claim)])
    links = " ".join(link(target) for key in ("see", "code", "tests") for target in claim[key])
    lines = [
        f"### {number}. {claim['item']}",
        f"**{claim['verdict'].capitalize()}.** Source: {claim['source']}.",
        *(f"*Here:* {text}." for text in measured),
        f"*Why:* {why}.",
        f"*How:* {how}. {links}",
    ]
    return "\n\n".join(lines) + "\n\n"


def main() -> None:
    """Check all claims and write the page."""
    claims = read()
    found = [f"{c['item']}: {p}" for some in claims.values() for c in some for p in problems(c)]
    if found:
        raise SystemExit("\n".join(found))
    PAGE.write_text(page(claims), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {sum(map(len, claims.values()))} claims, no dead link")


if __name__ == "__main__":
    main()
