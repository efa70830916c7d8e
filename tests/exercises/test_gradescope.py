import json

from tervit_np.exercises.exercise import Finding
from tervit_np.exercises.gradescope import results_json
from tervit_np.exercises.isolated_run import Verdict
from tervit_np.exercises.tasks import find_exercise

EXERCISES = [find_exercise(f"{name}_backward") for name in ("linear", "layernorm")] + [
    find_exercise("ternarize")
]

RIGHT = Verdict([Finding("x"), Finding("y")], "", 0.5, "1234-5678-9abc")
WRONG = Verdict([Finding("x"), Finding("y", "it is transposed")], "seen", 0.25)


def test_each_exercise_is_one_test_of_one_point():
    results = json.loads(results_json(zip(EXERCISES[:3], [RIGHT, WRONG, None], strict=True)))
    assert results["execution_time"] == 0.75
    assert results["stdout_visibility"] == "hidden"
    tests = results["tests"]
    assert [test["score"] for test in tests] == [1.0, 0.0, 0.0]
    assert [test["max_score"] for test in tests] == [1.0, 1.0, 1.0]
    assert [test["status"] for test in tests] == ["passed", "failed", "failed"]
    assert [test["number"] for test in tests] == ["1", "2", "3"]
    assert tests[0]["name"] == "linear_backward: the backward pass of a linear layer"
    assert "it is transposed" in tests[1]["output"]
    assert "seen" in tests[1]["output"]
    assert [test["extra_data"]["token"] for test in tests] == ["1234-5678-9abc", "", ""]
    assert tests[2]["output"] == f"{EXERCISES[2].file_name} was not handed in"


def test_all_fields_are_those_of_gradescope():
    """As documented at gradescope-autograders.readthedocs.io/en/latest/specs."""
    results = json.loads(results_json([(EXERCISES[0], RIGHT)]))
    assert set(results) <= {"score", "execution_time", "output", "stdout_visibility", "tests"}
    known = {"score", "max_score", "status", "name", "number", "output", "visibility"} | {
        "tags",
        "extra_data",
    }
    assert set(results["tests"][0]) <= known
