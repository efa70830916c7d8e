"""Which exercises are solved and how many hints were shown: progress.json in the folder."""

import json
from pathlib import Path
from typing import Any

from data_tools.terminal import shell_line
from tervit_np.exercises.exercise import Exercise
from tervit_np.files import make_folder, write_text
from tervit_np.json_files import Each, mismatch, read_json

_ENTRY = {"passed": bool, "hints": int}
DEFAULT = Path("exercises")  # the folder without --dir


class Progress:
    """The record of one folder; every change is written at once and atomically."""

    def __init__(self, folder: Path, student: str = "") -> None:
        self.folder, self.student = folder, student
        self._file = folder / "progress.json"
        self._record = self._read()

    def command(self, *words: str) -> str:
        """Return `tervit exercise` with these arguments and this folder, to be copied."""
        options = [] if self.folder == DEFAULT else ["--dir", str(self.folder)]
        if self.student and words[:1] in ((), ("start",)):  # the actions that check a file
            options += ["--student", self.student]
        return f"`{shell_line(['tervit', 'exercise', *words, *options])}`"

    def passed(self, exercise: Exercise) -> bool:
        """Whether the check has passed before."""
        return bool(self._entry(exercise).get("passed"))

    def hints(self, exercise: Exercise) -> int:
        """Return how many hints were shown."""
        count: int = self._entry(exercise).get("hints", 0)
        return max(0, min(count, len(exercise.hints)))

    def record_pass(self, exercise: Exercise) -> None:
        """Record that the check has passed."""
        self._write(exercise, passed=True)

    def open_hint(self, exercise: Exercise) -> int:
        """Open one more hint, up to the last.  -> how many are open now."""
        count = min(self.hints(exercise) + 1, len(exercise.hints))
        self._write(exercise, hints=count)
        return count

    def file(self, exercise: Exercise) -> Path:
        """Path of the student's file."""
        return self.folder / exercise.file_name

    def open_file(self, exercise: Exercise) -> tuple[Path, bool]:
        """Write the student's file if it does not exist.  -> its path, whether it is new."""
        file = self.file(exercise)
        new = not file.exists()
        if new:
            make_folder(self.folder)
            write_text(file, exercise.student_file())
        return file, new

    def _entry(self, exercise: Exercise) -> dict[str, Any]:
        return self._record.get(exercise.name, {})

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            record: dict[str, dict[str, Any]] = read_json(self._file, Each(dict))
            for name, entry in record.items():
                if problem := mismatch({"passed": False, "hints": 0} | entry, _ENTRY, name):
                    raise ValueError(f"{self._file} is damaged: {problem}")
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ValueError(f"{error}; delete it, your answers are not in it") from None
        return record

    def _write(self, exercise: Exercise, **fields: Any) -> None:
        self._record = self._read()  # another terminal may have opened a hint
        self._record[exercise.name] = self._entry(exercise) | fields
        make_folder(self.folder)
        write_text(self._file, json.dumps(self._record, indent=1))
