"""Pages of the exercises: task and hints, as `tervit exercise` shows them, and the file."""

from tervit_book.plain import as_rst, code_block
from tervit_np.exercises.exercise import Exercise
from tervit_np.exercises.tasks import EXERCISES

START = """\
Exercises
=========

An exercise is a function of the library with a part removed. ``tervit exercise`` writes the next
one to ``exercises/``, checks your file whenever you save it, and says which mistake you made. Task
and hints are also here, to read before you start; the solutions are not.

"""


def pages() -> dict[str, str]:
    """Return the text of each page, under its path in Sphinx's folder."""
    rows = "\n".join(_row(exercise) for exercise in EXERCISES)
    names = "\n".join(f"   {exercise.name}" for exercise in EXERCISES)
    head = ".. list-table::\n   :header-rows: 1\n\n   * - exercise\n     - after\n     - what"
    index = f"{START}{head}\n{rows}\n\n.. toctree::\n   :hidden:\n\n{names}\n"
    return {"exercises/index.rst": index} | {
        f"exercises/{exercise.name}.rst": _page(exercise) for exercise in EXERCISES
    }


def _row(exercise: Exercise) -> str:
    return (
        f"   * - :doc:`{exercise.name}`\n     - {_chapter(exercise)}\n"
        f"     - {as_rst(exercise.title)}"
    )


def _chapter(exercise: Exercise) -> str:
    return f":doc:`{exercise.chapter[:2]} </tutorials/{exercise.chapter}>`"


def _page(exercise: Exercise) -> str:
    """Return the page of one exercise."""
    hints = [_folded(f"Hint {i}", as_rst(hint)) for i, hint in enumerate(exercise.hints, 1)]
    code = code_block(exercise.student_file(), "python")
    return "\n\n".join(
        [
            f"{exercise.name}\n{'=' * len(exercise.name)}",
            f"*{as_rst(exercise.title)}.*",
            f"Explained in chapter {_chapter(exercise)}. Begin with",
            code_block(f"tervit exercise start {exercise.name}", "sh"),
            as_rst(exercise.task),
            *hints,
            _folded(f"The file: exercises/{exercise.file_name}", code),
        ]
    )


def _folded(title: str, rst: str) -> str:
    """Return rST that is shown when its title is clicked."""
    begin = f".. raw:: html\n\n   <details><summary>{title}</summary>"
    return f"{begin}\n\n{rst}\n\n.. raw:: html\n\n   </details>"
