"""What `tervit exercise list`, `hint` and `solution` print."""

from data_tools.counted import counted
from tervit_np.exercises import tasks
from tervit_np.exercises.exercise import Exercise
from tervit_np.exercises.messages import hint_lines, solution_lines, wrong_lines
from tervit_np.exercises.progress import Progress


def next_exercise(progress: Progress, after: Exercise | None = None) -> Exercise | None:
    """Return the first exercise that is not solved, of those after one, then of all."""
    start = tasks.EXERCISES.index(after) + 1 if after else 0
    order = tasks.EXERCISES[start:] + tasks.EXERCISES[:start]
    return next((e for e in order if not progress.passed(e)), None)


def list_exercises(progress: Progress) -> int:
    """Print all exercises and their state."""
    rows = [
        (e.name, f"ch. {e.chapter[:2]}", *_state(progress, e), e.title) for e in tasks.EXERCISES
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())
    return 0


def _state(progress: Progress, exercise: Exercise) -> tuple[str, str]:
    """Return whether an exercise is begun or solved, and how many hints were shown."""
    begun = "begun" if progress.file(exercise).exists() else ""
    count = progress.hints(exercise)
    hints = counted(count, "hint") if count else ""
    return "solved" if progress.passed(exercise) else begun, hints


def show_hint(progress: Progress, name: str | None) -> int:
    """Print the hints shown before, and one more."""
    exercise = tasks.find_exercise(name) if name else next_exercise(progress)
    if exercise is None:
        raise ValueError("all exercises are solved; name the one you want a hint for")
    again = progress.command("hint", exercise.name)
    print("\n".join(hint_lines(exercise, progress.open_hint(exercise), again)))
    return 0


def show_solution(progress: Progress, name: str, reveal: bool) -> int:
    """Print the solutions, once the exercise is solved or with --reveal."""
    exercise = tasks.find_exercise(name)
    if not (reveal or progress.passed(exercise)):
        raise ValueError(
            f"the solution of {name} is shown when {progress.file(exercise)} passes; "
            f"{progress.command('hint', name)} shows a hint (teachers: --reveal)"
        )
    print("\n".join(solution_lines(exercise)))
    if reveal:
        print("\n" + "\n".join(wrong_lines(exercise)))
    return 0
