from tervit_np.exercises.exercise import Finding
from tervit_np.exercises.isolated_run import Verdict
from tervit_np.exercises.messages import (
    _difference,
    hint_lines,
    solution_lines,
    verdict_lines,
    wrong_lines,
)
from tervit_np.exercises.tasks import EXERCISES, find_exercise

LINEAR = find_exercise("linear_backward")
AGAIN = "`tervit exercise hint linear_backward`"


def test_a_verdict_has_a_line_for_each_finding_and_its_message_below():
    why = "it is transposed: " + "long words " * 12
    findings = [Finding("x"), Finding("y", why), Finding("line 3, `z`", "not written yet: write")]
    lines = list(verdict_lines(Verdict(findings, "one\ntwo", 0.0)))
    assert lines[:3] == ["  ok     x", "  WRONG  y", lines[2]]
    assert lines[2].startswith("         it is transposed: long")
    assert max(map(len, lines)) <= 80
    assert lines[-5:-3] == ["  to do  line 3, `z`", "         not written yet: write"]
    assert lines[-3:] == ["  your file printed:", "    one", "    two"]


def test_a_long_output_is_cut():
    lines = list(verdict_lines(Verdict([Finding("x")], "hi\n" * 500, 0.0)))
    assert len(lines) == 15
    assert lines[-1] == "    ..."


def test_hints_open_one_after_the_other():
    lines = list(hint_lines(LINEAR, 2, AGAIN))
    assert lines[0] == "linear_backward, hint 1 of 3"
    assert "linear_backward, hint 2 of 3" in lines
    assert "hint 3" not in "\n".join(lines)
    assert lines[-1] == f"1 more: {AGAIN} again"
    assert list(hint_lines(LINEAR, 3, AGAIN))[-1] == "that was the last one"


def test_hints_keep_their_lines_and_indents():
    hint = "\n".join(hint_lines(find_exercise("layernorm_backward"), 2, AGAIN))
    assert "\n    x itself      rstd g\n" in hint


def test_every_hint_fits_the_screen():
    for exercise in EXERCISES:
        assert max(map(len, hint_lines(exercise, 3, AGAIN))) <= 80
        formulas = [x for hint in exercise.hints for x in hint.splitlines() if x[0] == " "]
        assert max(map(len, formulas)) <= 78  # whole, with the indent of a hint


def test_a_solution_is_plain_lines_first():
    text = "\n".join(solution_lines(LINEAR))
    assert text.startswith("A plain solution:\n\n    # One row for each token")
    assert "\n\nThe lines of tervit_np/ops/linear.py:\n\n    dy2, x2 = rows(dy)" in text
    for exercise in EXERCISES:
        assert "compiled(" not in exercise.solution()


def test_parts_of_a_solution_are_below_the_name_of_their_function():
    text = "\n".join(solution_lines(find_exercise("ste_with_clip")))
    one = "    return self._clipped(w) + require_residual(cache.residual)\n"
    assert text.count(f"\n\n  in Ternary.frozen:\n{one.rstrip()}") == 2
    assert text.count("  in Ternary.forward:\n    ") == 2
    assert "\n\n\n" not in text
    assert text == text.strip()
    assert "  in " not in "\n".join(solution_lines(LINEAR))
    several = {e.name for e in EXERCISES if len(e.functions()) > 1}
    assert {"ste_with_clip", "split_heads", "pack"} <= several
    for exercise in EXERCISES:
        assert {name.partition(".")[0] for name in exercise.functions()} == set(exercise.defines)


def test_a_difference_has_whole_lines():
    """A wrong answer may replace a part of a line, and lines before it."""
    lines = list(wrong_lines(find_exercise("ste_with_clip")))
    start = lines.index("  no mask is multiplied like a mask")
    assert lines[start + 1 : start + 3] == [
        "    - if cache.ste_mask is None:",
        "    -     return dw_hat",
    ]
    assert lines[start + 3].startswith("    -> without a clip")
    for exercise in EXERCISES:
        for answer in exercise.wrong_answers:
            right, wrong = exercise.right_and_wrong_file(answer)
            differences = list(_difference(right, wrong))
            assert differences
            for mark, file in (("-", right), ("+", wrong)):
                shown = [line[6:].strip() for line in differences if line[4] == mark]
                assert set(shown) <= {x.partition("#")[0].strip() for x in file.splitlines()}


def test_wrong_answers_are_shown_as_a_difference():
    text = "\n".join(wrong_lines(find_exercise("ternarize")))
    lines = "    - above = size > delta[:, None]\n    + above = size >= delta[:, None]\n"
    assert f"{lines}    -> |w| equals Delta" in text
