"""Make the tables of docs/calibration.md from what benchmarks/calibration.py wrote.

    python docs/make_calibration.py

It measures nothing.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from page_parts import rewrite, table  # noqa: E402

PAGE, RECORD = DOCS / "calibration.md", DOCS / "calibration.json"
Rows = list[dict[str, Any]]


def results(data: str, stage: str) -> str:
    """One row for each way to find scales; accuracy and loss with 8 and with 4 bits."""
    rows = [row for row in json.loads(RECORD.read_text())["rows"]
            if (row["data"], row["stage"]) == (data, stage)]  # fmt: skip
    (reference,) = [row for row in rows if row["bits"] == 32]
    accuracy, loss = f"{100 * reference['accuracy']:.1f}", f"{reference['loss']:.3f}"
    lines = [["inputs", "8 bits: accuracy", "loss", "4 bits: accuracy", "loss"]]
    lines += [["float", accuracy, loss, "", ""]]
    for name in dict.fromkeys(row["inputs"] for row in rows if row["bits"] != 32):
        cells = [name]
        for bits in (8, 4):
            ours = [row for row in rows if (row["inputs"], row["bits"]) == (name, bits)]
            cells += [_spread([100 * row["accuracy"] for row in ours], 1)]
            cells += [_spread([row["loss"] for row in ours], 3)]
        lines.append(cells)
    return table(lines)


def _spread(values: list[float], digits: int) -> str:
    """Write mean ± standard deviation over seeds, or the one value that there is."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def sections() -> list[tuple[str, str]]:
    """Return the pairs of data set and stage that are stored."""
    rows = json.loads(RECORD.read_text())["rows"]
    return list(dict.fromkeys((row["data"], row["stage"]) for row in rows))


def remade(page: str) -> str:
    """Return the page with all tables made anew."""
    for data, stage in sections():
        page = rewrite(page, f"{data}, {stage}", results(data, stage))
    return page


if __name__ == "__main__":
    PAGE.write_text(remade(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)
