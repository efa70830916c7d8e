"""`tervit exercise`: write parts of this library yourself, checked at every save."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tervit_np.cli.options import refuse_overwriting
from tervit_np.cli.parser import CommandParser, add_to_all

if TYPE_CHECKING:
    from tervit_np.exercises.exercise import Exercise
    from tervit_np.exercises.isolated_run import Verdict
    from tervit_np.exercises.progress import Progress

HELP = """Write parts of this library yourself.

Each exercise is a file to complete. It is checked at every save, and mistakes are explained."""
EXAMPLES = """\
  tervit exercise                        the next one, checked at every save
  tervit exercise --once                 the next one, checked once
  tervit exercise start ternarize        this one, checked at every save
  tervit exercise list                   all of them, and which are solved
  tervit exercise hint                   a hint for the next one, and one more at each call
  tervit exercise solution ternarize     two solutions, once yours is right
  tervit exercise check                  check all files of the folder once
  tervit exercise --student "Ada King"   the numbers of a check are drawn for this name
  tervit exercise --json results.json    check all and write results for Gradescope
  tervit exercise grade class            check the folders of a class, one for each student

For teachers: docs/teaching.md."""

_MOST_SECONDS = 86_400  # a day: the clocks of an operating system end somewhere
_FIRST = "the exercise (default: the first that is not solved)"


def add_arguments(parser: CommandParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_actions(
        {
            "start": "Work on one exercise",
            "check": "Check your files once",
            "list": "List all exercises",
            "hint": "Show one more hint",
            "solution": "Show a plain solution and the library's lines",
            "grade": "Check the folders of a class and write a table",
        }
    )
    start, check, listing, hint, solution, grade = actions
    parser.set_defaults(name=None, names=[])
    start.add_argument("name", nargs="?", metavar="NAME", help=_FIRST)
    check.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="exercises (default: all in the folder)",
    )
    hint.add_argument("name", nargs="?", metavar="NAME", help=_FIRST)
    solution.add_argument("name", metavar="NAME", help="the exercise")
    solution.add_argument(
        "--reveal", action="store_true", help="show it at once, with common wrong answers"
    )
    grade.add_argument(
        "class_dir", metavar="CLASS", type=Path, help="folder with one folder for each student"
    )
    grade.add_argument(
        "--csv",
        metavar="FILE",
        type=Path,
        default=Path("marks.csv"),
        help="table to write (default: marks.csv)",
    )
    add_to_all((parser, start), "--once", action="store_true", default=False, help="check once")
    add_to_all(
        (parser, start, check, listing, hint, solution),
        "--dir",
        metavar="DIR",
        type=Path,
        help="folder of your files (default: exercises)",
    )
    add_to_all(
        (parser, start, check, grade),
        "--seconds",
        metavar="S",
        type=float,
        default=10.0,
        help="time limit of one check, in seconds (default: 10)",
    )
    add_to_all(
        (parser, start, check),
        "--student",
        metavar="NAME",
        default="",
        help="draw the numbers of the checks for this name (default: the same for all)",
    )
    add_to_all(
        (parser, check),
        "--json",
        metavar="FILE",
        type=Path,
        help="file to write, for Gradescope; checks all",
    )


def run(args: argparse.Namespace) -> int:
    """Run an action; without one, work on the next exercise."""
    from tervit_np.cli.exercise_texts import list_exercises, show_hint, show_solution
    from tervit_np.exercises.progress import DEFAULT, Progress

    if not 0 < args.seconds <= _MOST_SECONDS:
        raise ValueError(
            f"--seconds is {args.seconds:g}; expected a positive number, at most {_MOST_SECONDS}"
        )
    if args.action == "grade":
        from tervit_np.cli.exercise_class import grade_class

        return grade_class(args.class_dir, args.csv, _chosen([]), args.seconds)
    progress = Progress(args.dir or DEFAULT, args.student)
    if args.action == "list":
        return list_exercises(progress)
    if args.action == "hint":
        return show_hint(progress, args.name)
    if args.action == "solution":
        return show_solution(progress, args.name, args.reveal)
    if args.json and args.action in (None, "check"):
        return _grade(progress, args)
    if args.action == "check":
        return _check(progress, args)
    return _start(progress, args)


def _start(progress: "Progress", args: argparse.Namespace) -> int:
    """Work on one exercise after the other, until all are solved or Ctrl-C."""
    from tervit_np.cli.exercise_texts import next_exercise
    from tervit_np.exercises.tasks import find_exercise

    exercise = find_exercise(args.name) if args.name else next_exercise(progress)
    try:
        while exercise is not None:
            passed = _work_on(exercise, progress, args)
            if args.once:
                return 0 if passed else 1
            exercise = next_exercise(progress, exercise)
    except KeyboardInterrupt:
        print(f"\nstopped; {progress.command()} continues")
        return 130
    print(f"All exercises are solved. {progress.command('list')} names them.")
    return 0


def _work_on(exercise: "Exercise", progress: "Progress", args: argparse.Namespace) -> bool:
    """Show the task and check the file at each save, until it passes.  -> whether it passes."""
    from tervit_np.exercises.changes import changes_of

    file, new = progress.open_file(exercise)
    print(
        f"{exercise.instructions()}\n\n{'Your new file' if new else 'Your file'}: {file}",
        flush=True,
    )
    if args.once:
        return _report(exercise, progress, args.seconds)
    print("It is checked whenever you save it; Ctrl-C stops. In another terminal,")
    print(f"{progress.command('hint', exercise.name)} shows a hint.")
    for _ in changes_of(file):
        if progress.open_file(exercise)[1]:
            print("\nYour file was missing; a new one was written.")
        print(f"\n{time.strftime('%H:%M:%S')}  {file}", flush=True)
        if _report(exercise, progress, args.seconds):
            print()
            return True
    return False


def _report(exercise: "Exercise", progress: "Progress", seconds: float) -> bool:
    """Check a file once, print the findings, record a pass.  -> whether it passes."""
    from tervit_np.exercises.isolated_run import run_isolated
    from tervit_np.exercises.messages import verdict_lines

    verdict = run_isolated(exercise, progress.file(exercise), seconds, progress.student)
    print("\n".join(verdict_lines(verdict)), flush=True)
    if verdict.passed:
        print(f"  submission token {verdict.token}")
    if verdict.passed and not progress.passed(exercise):
        progress.record_pass(exercise)
        command = progress.command("solution", exercise.name)
        print(f"{exercise.name} is solved: {command} shows two solutions.")
    return verdict.passed


def _check(progress: "Progress", args: argparse.Namespace) -> int:
    """Check the named exercises, by default all that have a file."""
    chosen = [e for e in _chosen(args.names) if args.names or progress.file(e).exists()]
    if not chosen:
        raise ValueError(
            f"{progress.folder} contains no exercise yet; {progress.command()} starts one"
        )
    passed = 0
    for exercise in chosen:
        file = progress.file(exercise)
        if not file.exists():
            command = progress.command("start", exercise.name)
            raise ValueError(f"{file}: no such file; {command} writes it")
        print(file)
        passed += _report(exercise, progress, args.seconds)
    print(f"\n{passed} of {len(chosen)} right")
    return 0 if passed == len(chosen) else 1


def _grade(progress: "Progress", args: argparse.Namespace) -> int:
    """Check exercises and write the results file; record nothing in the folder."""
    from tervit_np.exercises.gradescope import results_json
    from tervit_np.exercises.isolated_run import run_isolated
    from tervit_np.exercises.messages import grade_lines
    from tervit_np.files import check_writable, write_text

    check_writable(args.json)
    exercises = _chosen(args.names)
    refuse_overwriting("--json", args.json, {progress.file(e): "an answer" for e in exercises})
    graded: list[tuple[Exercise, Verdict | None]] = []
    for exercise in exercises:
        file = progress.file(exercise)
        verdict = None
        if file.exists():
            verdict = run_isolated(exercise, file, args.seconds, args.student)
        graded.append((exercise, verdict))
    write_text(args.json, results_json(graded))  # before the output, whose reader may be gone
    print("\n".join(grade_lines(graded)))
    passed = sum(verdict is not None and verdict.passed for _, verdict in graded)
    print(f"{args.json}: {passed} of {len(graded)} right")
    return 0 if passed == len(graded) else 1


def _chosen(names: list[str]) -> "list[Exercise]":
    from tervit_np.exercises.tasks import EXERCISES, find_exercise

    return [find_exercise(name) for name in names] or list(EXERCISES)
