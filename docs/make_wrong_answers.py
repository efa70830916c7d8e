"""Make docs/teaching/wrong_answers.md: what students write, and the sentence that finds it.

    python docs/make_wrong_answers.py

The wrong answers are those of the exercises; tests/exercises proves that each gets its sentence.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tervit_np.exercises.exercise import Exercise  # noqa: E402
from tervit_np.exercises.tasks import EXERCISES  # noqa: E402

PAGE = ROOT / "docs" / "teaching" / "wrong_answers.md"
HEAD = """\
# Wrong answers, and what finds them

What students write in the exercises, and a part of the sentence that the check gives to each. The
tests prove that it does. To show one in class: change the line in a solved file, ask what is wrong,
then run `tervit exercise check`. The code of each is in
`tervit exercise solution NAME --reveal`. `python docs/make_wrong_answers.py` makes this page.
"""


def page() -> str:
    """Return the text of the page."""
    return "\n".join([HEAD, *map(_section, EXERCISES)])


def _section(exercise: Exercise) -> str:
    chapter, task = exercise.chapter, f"../../tervit_np/exercises/tasks/{exercise.name}.py"
    rows = [f"| {cell(w.about)} | {cell(w.message)} |" for w in exercise.wrong_answers]
    return "\n".join(
        [
            f"## {exercise.name}\n",
            f"[The exercise]({task}): {exercise.title}. "
            f"Chapter [{chapter[:2]}](../../tutorials/{chapter}.py).\n",
            "| what is written | what the check says |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def cell(text: str) -> str:
    """Return words as a cell: a bar would end it, and stars and angles have meanings."""
    for character in "\\|*<_":
        text = text.replace(character, f"\\{character}")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))
