"""Run every chapter in full, one after another, and store the results.

    python tutorials/run_all.py            all, about ten minutes on two cores
    python tutorials/run_all.py 02 03      only these; others stay as stored

docs/tutorials.json then contains, for each chapter, its time, the machine, and
all numbers that its text quotes, as measured and as quoted. The processor time
counts all cores; other programs on the machine hardly change it. The first
chapter that needs the shared model trains it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tervit_lesson import ROOT

from tervit_np.environment import environment

STORE = ROOT / "docs" / "tutorials.json"
CHAPTERS = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py"))


def main(prefixes: list[str]) -> int:
    """Run the chapters whose names begin with one of `prefixes`, or all."""
    chosen = [
        c
        for c in CHAPTERS
        if not prefixes or any(c.name.startswith(p) for p in prefixes)
    ]
    if not chosen:
        names = ", ".join(c.name[:2] for c in CHAPTERS)
        print(f"no chapter begins with {prefixes[0]!r}; there are {names}")
        return 2
    stored = json.loads(STORE.read_text()) if STORE.exists() else {}
    entries = stored.get("chapters", {})
    for chapter in chosen:
        print(f"== {chapter.name}", flush=True)
        entry = run(chapter)
        if entry is None:
            print(f"{chapter.name} failed; its results are not stored")
            return 1
        print(f"== {chapter.name}: {entry['seconds']:.0f} s\n", flush=True)
        entries[chapter.stem] = entry
        write(entries)
    print("seconds  processor seconds")
    for stem, entry in sorted(entries.items()):
        both = entry["seconds"], entry["processor_seconds"]
        print("{:7.0f}  {:17.0f}  ".format(*both) + stem)
    total = sum(entry["seconds"] for entry in entries.values())
    print(f"{total:7.0f}  in total; stored in {STORE.relative_to(ROOT)}")
    return 0


def run(chapter: Path) -> dict[str, Any] | None:
    """Run one chapter.  -> its times and numbers, or None if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "numbers.json"
        settings = {
            name: value
            for name, value in os.environ.items()
            if name not in ("TERVIT_FAST", "TERVIT_PLAY", "TERVIT_SHOW")
        }
        start, before = time.monotonic(), os.times()
        done = subprocess.run(
            [sys.executable, str(chapter)],
            env=settings | {"TERVIT_RESULTS": str(results)},
        )
        seconds, after = time.monotonic() - start, os.times()
        if done.returncode:
            return None
        user = after.children_user - before.children_user
        system = after.children_system - before.children_system
        return {
            "seconds": round(seconds, 1),
            "processor_seconds": round(user + system, 1),
            "machine": environment(),
            "numbers": json.loads(results.read_text()),
        }


def write(entries: dict[str, Any]) -> None:
    """Store the chapters in order; the file is replaced atomically."""
    partial = STORE.with_name(f".{STORE.name}.partial")
    text = json.dumps({"chapters": dict(sorted(entries.items()))}, indent=1)
    partial.write_text(text + "\n", encoding="utf-8")
    os.replace(partial, STORE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
