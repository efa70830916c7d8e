"""Run every chapter in full, one after another, and store what came out.

    python tutorials/run_all.py            all, about ten minutes on two cores
    python tutorials/run_all.py 02 03      only these, the others keep theirs

docs/tutorials.json then holds each chapter's seconds and all numbers that its
text quotes, beside what the text says, and what they were measured on.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lesson import ROOT

from tervit_np.environment import environment

STORE = ROOT / "docs" / "tutorials.json"
CHAPTERS = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py"))


def main(wanted: list[str]) -> int:
    """Run the chapters whose names begin with one of `wanted`, or all."""
    chosen = [
        c
        for c in CHAPTERS
        if not wanted or any(c.name.startswith(w) for w in wanted)
    ]
    if not chosen:
        names = ", ".join(c.name[:2] for c in CHAPTERS)
        print(f"no chapter begins with {wanted[0]!r}; there are {names}")
        return 2
    stored = json.loads(STORE.read_text()) if STORE.exists() else {}
    entries = stored.get("chapters", {})
    for chapter in chosen:
        print(f"== {chapter.name}", flush=True)
        seconds, numbers = run(chapter)
        if numbers is None:
            print(f"{chapter.name} failed; nothing of it is stored")
            return 1
        print(f"== {chapter.name}: {seconds:.0f} s\n", flush=True)
        entries[chapter.stem] = {
            "seconds": round(seconds, 1),
            "machine": environment(),
            "numbers": numbers,
        }
        write(entries)
    total = sum(entry["seconds"] for entry in entries.values())
    for stem, entry in sorted(entries.items()):
        print(f"{entry['seconds']:6.0f} s  {stem}")
    print(f"{total:6.0f} s  in all; stored in {STORE.relative_to(ROOT)}")
    return 0


def run(chapter: Path) -> tuple[float, dict[str, object] | None]:
    """Run one chapter; its seconds and numbers, None if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "numbers.json"
        settings = {
            name: value
            for name, value in os.environ.items()
            if name not in ("TERVIT_FAST", "TERVIT_PLAY", "TERVIT_SHOW")
        }
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(chapter)],
            env=settings | {"TERVIT_RESULTS": str(results)},
        )
        seconds = time.monotonic() - began
        if done.returncode:
            return seconds, None
        return seconds, json.loads(results.read_text())


def write(entries: dict[str, object]) -> None:
    """Store the chapters in order, the file whole or not at all."""
    partial = STORE.with_name(f".{STORE.name}.partial")
    text = json.dumps({"chapters": dict(sorted(entries.items()))}, indent=1)
    partial.write_text(text + "\n", encoding="utf-8")
    os.replace(partial, STORE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
