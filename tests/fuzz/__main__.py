"""Damage files of a format and read them.

    python -m tests.fuzz FORMAT N             N mutations of this format, or of all
    python -m tests.fuzz all 10000 --seed 7   about as many over all formats, by another seed
    python -m tests.fuzz --list               the formats

Half of the mutations change any bytes, half know the format and make its checksums right again. The
files are read in a process of their own. A file must be read, or refused by ValueError or DataError
with a message that names it: anything else fails, as does a crash, more than two seconds of
processor time, or more memory than twice the size of the files and 32 MB. Where a format has a
checksum, damaged bytes must not be read as something else. Files that fail are kept. Needs Linux.
"""

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.fuzz.faulty import FAULTY
from tests.fuzz.format import Format
from tests.fuzz.formats import FORMATS
from tests.fuzz.mutations import any_bytes

SECONDS, SPARE = 2.0, 32e6
PATIENCE, START = 30, 120  # seconds until a process that does not answer, or start, is ended


class Outcome(NamedTuple):
    """How reading damaged files ended."""

    ended: str  # "read" or "refused", or why it is a failure
    words: str


class Reader:
    """A process that reads files; it is started anew after it has died."""

    def __init__(self, errors: Path) -> None:
        self._errors = errors
        self._process: subprocess.Popen[str] | None = None

    def read(self, name: str, path: Path) -> dict[str, object]:
        """Ask the process to read a folder or a file.  -> its answer, or how it died."""
        patience = PATIENCE if self._process else START
        process = self._process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{name}\t{path}\n")
        process.stdin.flush()
        is_ready = bool(select.select([process.stdout], [], [], patience)[0])
        if is_ready and (answer := process.stdout.readline()):
            found: dict[str, object] = json.loads(answer)
            return found
        words = f"status {process.wait()}" if is_ready else f"no answer in {patience} s"
        self.close()
        words += f": {self._errors.read_text(errors='replace')[-2000:]}"
        ended = "crashes" if is_ready else "hangs"
        return {"ended": ended, "words": words, "seconds": 0.0, "bytes": 0}

    def _start(self) -> "subprocess.Popen[str]":
        with open(self._errors, "w") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.child"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def outcomes(name: str, count: int, seed: int, reader: Reader, folder: Path) -> Iterator[Outcome]:
    """Damage and read files `count` times."""
    folder.mkdir()
    kind = (FORMATS | FAULTY)[name]
    kind.make(folder)
    good = {file: file.read_bytes() for file in sorted(folder.glob(kind.pattern))}
    expected = {file: reader.read(name, file if kind.single else folder) for file in good}
    for answer in expected.values():
        if answer["ended"] != "read":
            yield Outcome("the good file is not read", str(answer["words"]))
            return
    for i in range(count):
        rng = np.random.default_rng([seed, i, *name.encode()])
        file = list(good)[rng.integers(len(good))]
        is_random = _damage(kind, file, good, rng)
        files = [file] if kind.single else [f for f in folder.rglob("*") if f.is_file()]
        size = sum(f.stat().st_size for f in files)
        answer = reader.read(name, file if kind.single else folder)
        yield _judged(answer, size, is_random and kind.checked and expected[file]["words"])


def _damage(kind: Format, file: Path, good: dict[Path, bytes], rng: np.random.Generator) -> bool:
    """Write the good files and damage one.  -> whether its bytes were damaged at random."""
    for path, content in good.items():
        path.write_bytes(content)
    is_random = not kind.structured or rng.random() < 0.5
    change = any_bytes if is_random else kind.structured[rng.integers(len(kind.structured))]
    file.write_bytes(change(good[file], rng))
    if kind.repair is not None and not is_random:
        kind.repair(file.parents[len(Path(kind.pattern).parts) - 1])
    return is_random


def _judged(answer: dict[str, object], size: int, expected: object) -> Outcome:
    """Return the outcome of an answer about files of `size` bytes."""
    ended, words = str(answer["ended"]), str(answer["words"])
    if float(str(answer["seconds"])) > SECONDS:
        ended = "takes too long"
        words = f"{answer['seconds']} s"
    elif int(str(answer["bytes"])) > 2 * size + SPARE:
        ended = "takes too much memory"
        words = f"{answer['bytes']} bytes for {size}"
    elif ended == "read" and expected and words != expected:
        ended, words = "reads something else", ""
    return Outcome(ended, words)


def fuzz(name: str, count: int, seed: int, keep: Path | None = None) -> list[Outcome]:
    """Damage and read files of a format; copies of those that fail go into the folder `keep`."""
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        reader, folder = Reader(Path(temporary, "errors")), Path(temporary, name)
        try:
            for i, outcome in enumerate(outcomes(name, count, seed, reader, folder)):
                results.append(outcome)
                if keep is not None and outcome.ended not in ("read", "refused"):
                    target = keep / f"{name}-{seed}-{i}"
                    subprocess.run(["cp", "-r", str(folder), str(target)], check=True)
        finally:
            reader.close()
    return results


def main(arguments: list[str]) -> int:
    """Print a line for each format, and each failure."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("format", nargs="?", choices=[*FORMATS, "all"], default="all")
    parser.add_argument("count", nargs="?", type=int, default=100, help="mutations in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="name the formats and stop")
    args = parser.parse_args(arguments)
    if args.list:
        print("\n".join(FORMATS))
        return 0
    names = list(FORMATS) if args.format == "all" else [args.format]
    keep, failed = Path(tempfile.mkdtemp(prefix="fuzz-")), 0
    for name in names:
        results = fuzz(name, -(-args.count // len(names)), args.seed, keep)
        counts = Counter(result.ended for result in results)
        print(f"{name:12} " + ", ".join(f"{n} {ended}" for ended, n in counts.most_common()))
        bad = [f"  {i}: {r.ended}: {r.words[:3000]}" for i, r in enumerate(results)
               if r.ended not in ("read", "refused")]  # fmt: skip
        print("\n".join(bad[:10]), end="\n" if bad else "", flush=True)
        failed += len(bad)
    if failed:
        print(f"{failed} failures; the files are in {keep}")
    else:
        keep.rmdir()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
