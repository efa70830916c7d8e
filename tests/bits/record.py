"""Compute the hashes of short_trainings.py as if on other processors, for docs/bits.md.

    python -m tests.bits.record                     all configurations, an hour or two on one core
    python -m tests.bits.record --only Sandybridge  those whose name holds this text
    python -m tests.bits.record --list              name them
    python -m tests.bits.record --add FILE --as "Arm Cortex-A72, emulated by QEMU"
                                                    what short_trainings.py has printed elsewhere
    python docs/make_bits.py                        the table

The configurations are those of tests/processors.py, and numbers of threads. docs/bits.json is
written after each, so that a record can be interrupted and continued with --only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tervit_np.environment import environment
from tervit_np.files import atomic_write
from tests.processors import ROOT, Configuration, configurations, surroundings

HERE = Path(__file__).parent
RECORD = ROOT / "docs" / "bits.json"
THREADS = (2, 3, 4)
Hashes = dict[str, dict[str, str]]  # of groups: name of a result, hash


class Row(NamedTuple):
    """What is computed for a row of the table."""

    configuration: Configuration
    threads: int = 1

    @property
    def name(self) -> str:
        """The name of the configuration, or the number of threads."""
        return self.configuration.name if self.threads == 1 else f"{self.threads} threads"


def rows() -> list[Row]:
    """Return all rows that this machine can compute; seeds of tests do not matter here."""
    possible = [c for c in configurations() if not c.impossible and not c.name.startswith("seed")]
    first, *others = possible
    return [Row(first), *(Row(first, threads) for threads in THREADS), *map(Row, others)]


def compute(row: Row, groups: list[str]) -> Hashes:
    """Run the short trainings in a process of their own, and return their hashes."""
    command = [sys.executable, str(HERE / "short_trainings.py"), "--threads", str(row.threads)]
    command += ["--only", *groups] if groups else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=surroundings(row.configuration, folder),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{row.name}: ended with status {done.returncode}\n{done.stderr}")
    hashes: Hashes = json.loads(done.stdout)
    return hashes


def stored() -> Hashes:
    """Return the hashes that all must equal."""
    hashes: Hashes = json.loads((HERE / "hashes.json").read_text())
    return hashes


def read_record() -> dict[str, Any]:
    """Read docs/bits.json, without what was computed for hashes that have been renewed since."""
    if not RECORD.exists():
        return {"stored": stored(), "rows": {}}
    record: dict[str, Any] = json.loads(RECORD.read_text())
    valid = {name for name, hashes in stored().items() if record["stored"].get(name) == hashes}
    kept = {
        name: {group: hashes for group, hashes in row.items() if group in valid}
        for name, row in record["rows"].items()
    }
    rows = {name: row for name, row in kept.items() if row}
    return record | {"stored": stored(), "rows": rows}


def add(name: str, hashes: Hashes, here: bool = True) -> None:
    """Put hashes into the record, beside those of other groups in the same row."""
    record = read_record()
    found = record["rows"] | {name: record["rows"].get(name, {}) | hashes}
    order = [row.name for row in rows()]
    names = sorted(found, key=lambda n: order.index(n) if n in order else len(order))
    record["rows"] = {name: found[name] for name in names}
    if here:
        record["environment"] = environment()
    with atomic_write(RECORD) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())


def main() -> None:
    """Compute rows, or add one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose name holds this")
    parser.add_argument("--groups", metavar="NAME", nargs="+", default=[], help="some groups alone")
    parser.add_argument("--list", action="store_true", help="name the rows and stop")
    parser.add_argument("--add", metavar="FILE", type=Path, help="what was printed elsewhere")
    parser.add_argument("--as", metavar="NAME", dest="name", help="the name of its row")
    args = parser.parse_args()
    if args.add:
        if not args.name:
            parser.error("--add needs --as NAME, which says where the hashes were computed")
        add(args.name, json.loads(args.add.read_text()), here=False)
        return
    for row in rows():
        if args.only in row.name:
            print(row.name, flush=True)
            if not args.list:
                add(row.name, compute(row, args.groups))


if __name__ == "__main__":
    main()
