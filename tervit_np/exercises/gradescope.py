"""Verdicts as the results.json that Gradescope reads: one test of one point for each exercise."""

import json
from collections.abc import Iterable
from typing import Any

from tervit_np.exercises.exercise import Exercise
from tervit_np.exercises.isolated_run import Verdict
from tervit_np.exercises.messages import verdict_lines


def results_json(graded: Iterable[tuple[Exercise, Verdict | None]]) -> str:
    """Return the results; a verdict of None means that the file was not handed in."""
    graded = list(graded)
    results = {
        "execution_time": round(sum(v.seconds for _, v in graded if v is not None), 3),
        "stdout_visibility": "hidden",
        "tests": [_test(i, *pair) for i, pair in enumerate(graded, 1)],
    }
    return json.dumps(results, indent=1)


def _test(number: int, exercise: Exercise, verdict: Verdict | None) -> dict[str, Any]:
    passed = verdict is not None and verdict.passed
    missing = f"{exercise.file_name} was not handed in"
    return {
        "number": str(number),
        "name": f"{exercise.name}: {exercise.title}",
        "score": float(passed),
        "max_score": 1.0,
        "status": "passed" if passed else "failed",
        "output": missing if verdict is None else "\n".join(verdict_lines(verdict)),
        "visibility": "visible",
        "extra_data": {"token": "" if verdict is None else verdict.token},
    }
