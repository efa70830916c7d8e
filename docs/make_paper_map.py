"""Write docs/paper_map.md: each equation, table and figure of TerViT, with code and tests.

    python docs/make_paper_map.py

docs/paper_map.toml lists the items; its head describes the fields. Numbers are read from stored
results or computed here from shapes and formulas. A link that leads nowhere ends the script, and
tests/test_paper_map.py. make_claims.py does the same for claims.
"""

import ast
import importlib
import math
import sys
import tomllib
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from stored_numbers import ROOT, stored_number  # noqa: E402

from tervit_np.analysis.sizes import sizes  # noqa: E402
from tervit_np.models import CONFIGS, quantize  # noqa: E402
from tervit_np.models.registry import build  # noqa: E402

DATA, PAGE = ROOT / "docs" / "paper_map.toml", ROOT / "docs" / "paper_map.md"
TITLES = {"equations": "Equations", "tables": "Tables", "figures": "Figures"}
KNOWN = ("paper", "account", "ancestor", "ours")
FIELDS = {"item", "known", "code", "tests", "see", "number", "fields", "reason"}
HEAD = """# TerViT, item by item

What the paper says, which function of this repository computes it, which test holds the function
to it, where to see it, and which number comes out here. `python docs/make_paper_map.py` makes this
page from [paper_map.toml](paper_map.toml) and from stored results. A test fails if a function, a
test, a file or a stored number is missing. [Chapter 20](../tutorials/20_reading_the_paper.py) reads
the paper along this list. Its claims, and whether they hold here, have
[a page of their own](claims.md).

"Known from" says how we know the item:

- *paper*: from its abstract or from its readers;
- *account*: from what other papers report of it, which we could not confirm;
- *ancestor*: from work that it builds on (Ternary Weight Networks, TernaryBERT, BinaryBERT, DeiT,
  Swin);
- *ours*: our own reading.

The paper's code is not public, and its training settings were not available to us. Epochs, learning
rates and data of all our numbers are ours.
"""


def read(file: Path = DATA) -> dict[str, list[dict[str, Any]]]:
    """Return the items by kind."""
    return tomllib.loads(file.read_text(encoding="utf-8"))


def problems(item: dict[str, Any]) -> list[str]:
    """List what is wrong with an item: a dead link, a missing number, an unknown field."""
    found = [f"unknown field {name}" for name in sorted(item.keys() - FIELDS)]
    if item.get("known") not in KNOWN:
        found.append(f"known is {item.get('known')!r}")
    found += dead_links(item)
    if ("number" in item) == ("reason" in item):
        found.append("needs either a number or the reason why there is none")
    try:
        number(item)
    except (KeyError, IndexError, ValueError, OSError) as error:
        found.append(f"number: {error!r}")
    return found


def dead_links(item: dict[str, Any]) -> list[str]:
    """List the links of an item to code, tests and files that lead nowhere, or are missing."""
    found = []
    for field, is_there in (("code", has_code), ("tests", has_test), ("see", has_file)):
        if not item.get(field):
            found.append(f"no {field}")
        found += [
            f"{field}: {link} is not there" for link in item.get(field, []) if not is_there(link)
        ]
    return found


def has_code(link: str) -> bool:
    """Tell whether "module:name" can be imported; the name may have dots."""
    module, _, name = link.partition(":")
    try:
        return reduce(getattr, name.split("."), importlib.import_module(module)) is not None
    except (ImportError, AttributeError):
        return False


def has_test(link: str) -> bool:
    """Tell whether "file::test" is a function of the file."""
    file, _, name = link.partition("::")
    if not (ROOT / file).is_file():
        return False
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)


def has_file(link: str) -> bool:
    """Tell whether a file of the repository exists."""
    return (ROOT / link).is_file()


def number(item: dict[str, Any]) -> str:
    """Return the text with its numbers, or the reason why there is none."""
    if "number" not in item:
        return str(item["reason"])
    fields = {name: value_of(source) for name, source in item.get("fields", {}).items()}
    return str(item["number"]).format(**fields)


def value_of(source: str) -> float:
    """Return a stored number (FILE#PATH), or the result of a function of COMPUTED."""
    return stored_number(source) if "#" in source else COMPUTED[source]()


def gaussian(threshold: float) -> tuple[float, float]:
    """Return P(|w| > threshold) and E[|w|; |w| > threshold] of a standard normal weight w."""
    return math.erfc(threshold / math.sqrt(2)), MEAN * math.exp(-(threshold**2) / 2)


MEAN = math.sqrt(2 / math.pi)  # E|w| of a standard normal weight


def error_of_kept_mean(threshold: float) -> float:
    """E(w - alpha t)^2 with alpha the mean of the kept: 1 - S^2 / P."""
    kept, total = gaussian(threshold)
    return 1 - total**2 / kept


def error_of_whole_mean() -> float:
    """E(w - alpha t)^2 with alpha = E|w|: 1 - 2 alpha S + alpha^2 P, at 0.7 E|w|."""
    kept, total = gaussian(0.7 * MEAN)
    return 1 - 2 * MEAN * total + MEAN**2 * kept


def error_of_one_threshold(sigma: float = 0.5) -> float:
    """Error of one threshold and scale for rows of sizes exp(sigma z), as a part of E w^2.

    Rows of size r keep what exceeds threshold / r. Sums over z replace the integrals.
    """
    nodes = [-8 + i / 100 for i in range(1601)]
    rows = [
        (math.exp(sigma * z), math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / 100) for z in nodes
    ]
    threshold = 0.7 * MEAN * math.fsum(r * p for r, p in rows)
    kept = math.fsum(p * gaussian(threshold / r)[0] for r, p in rows)
    total = math.fsum(p * r * gaussian(threshold / r)[1] for r, p in rows)
    return 1 - total**2 / kept / math.fsum(r**2 * p for r, p in rows)


def megabytes(name: str, accounting: str) -> float:
    """Return the size of a ternary model, from its shapes."""
    return float(getattr(sizes(quantize(build(CONFIGS[name], None), "ternary")), accounting)) / 1e6


SWIN, DEIT = "swin_small_patch4_window7_224", "deit_small_patch16_224"
COMPUTED: dict[str, Callable[[], float]] = {
    "gaussian_zeros": lambda: 100 * (1 - gaussian(0.7 * MEAN)[0]),
    "gaussian_error_support": lambda: error_of_kept_mean(0.7 * MEAN),
    "gaussian_error_mean": error_of_whole_mean,
    "gaussian_error_best": lambda: min(error_of_kept_mean(i / 1000) for i in range(1, 2000)),
    "lognormal_error_layer": error_of_one_threshold,
    "deit_small_millions": lambda: CONFIGS[DEIT].parameters / 1e6,
    "swin_small_millions": lambda: CONFIGS[SWIN].parameters / 1e6,
    "swin_small_megabytes": lambda: megabytes(SWIN, "paper"),
    "swin_small_stored": lambda: megabytes(SWIN, "stored"),
}


def page(items: dict[str, list[dict[str, Any]]]) -> str:
    """Return the text of docs/paper_map.md."""
    parts = [HEAD]
    for kind, title in TITLES.items():
        head = ["in the paper", "known from", "function", "test", "see", "here"]
        lines = [row(head), row(["---"] * len(head))]
        for item in items[kind]:
            links = [" ".join(map(link, item[f])) for f in ("code", "tests", "see")]
            lines.append(row([item["item"], item["known"], *links, number(item)]))
        parts.append(f"## {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def link(target: str) -> str:
    """Return a Markdown link, relative to docs/, to code, a test or a file."""
    if "::" in target:
        file, name = target.split("::")
        text = f"`{name.removeprefix('test_').replace('_', ' ')}`"
    elif ":" in target:
        module, text = target.split(":")
        file = module.replace(".", "/") + ".py"
        text = f"`{text}`"
    else:
        file, text = target, Path(target).name
    path = file.removeprefix("docs/") if file.startswith("docs/") else f"../{file}"
    return f"[{text}]({path})"


def row(cells: list[str]) -> str:
    """Return one line of a table; a bar inside of a cell is escaped."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Check all items and write the page."""
    items = read()
    found = [
        f"{item['item']}: {p}" for some in items.values() for item in some for p in problems(item)
    ]
    if found:
        raise SystemExit("\n".join(found))
    PAGE.write_text(page(items), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {sum(map(len, items.values()))} items, no dead link")


if __name__ == "__main__":
    main()
