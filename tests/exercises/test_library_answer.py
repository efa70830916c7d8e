import numpy as np
import pytest

from tervit_np import ops
from tervit_np.exercises.grader import grade
from tervit_np.exercises.library_answer import LibraryAnswerUsed, refuse_library_answer
from tervit_np.exercises.student_file import NOT_WRITTEN
from tervit_np.exercises.tasks import find_exercise
from tervit_np.nn import Block

LINEAR = find_exercise("linear_backward")
REFUSED = "linear_backward of the library is the answer itself: write it in its place"


@pytest.mark.parametrize(
    "lines",
    [
        "from tervit_np.ops import linear_backward as answer\nreturn answer(dy, cache)",
        "import tervit_np\nreturn tervit_np.ops.linear_backward(dy, cache)",
        "import sys\nreturn sys.modules['tervit_np.ops.linear'].linear_backward(dy, cache)",
        "from tervit_np import ops\nreturn (lambda f: f(dy, cache))(ops.linear_backward)",
        "import functools\nfrom tervit_np import ops\n"
        "return functools.partial(ops.linear_backward, dy)(cache)",
    ],
)
def test_the_librarys_function_is_refused(last_finding, lines):
    finding = last_finding(LINEAR, lines)
    assert finding.message == REFUSED
    assert lines.splitlines()[-1] in finding.what


def test_an_import_at_the_top_of_the_file_is_refused(tmp_path):
    file = tmp_path / LINEAR.file_name
    file.write_text(
        "from tervit_np.ops.linear import linear_backward as answer\n"
        "def linear_backward(dy, cache):\n    return answer(dy, cache)\n"
    )
    assert grade(LINEAR, file)[-1] == ("line 3, `return answer(dy, cache)`", REFUSED)


def test_other_functions_of_the_library_may_be_used(last_finding):
    lines = """
from tervit_np.ops import linear
dx = linear(dy, cache.weight.T.copy())[0]
return dx, rows(dy).T @ rows(cache.x), rows(dy).sum(axis=0)
"""
    assert last_finding(LINEAR, lines).ok


def test_the_library_goes_on_calling_its_function(tmp_path):
    """And has it back afterwards."""
    before = ops.linear_backward
    x, w = np.ones((2, 3)), np.ones((4, 3))
    with refuse_library_answer(["linear_backward"], tmp_path / "answer.py"):
        assert ops.linear_backward is not before
        _, cache = ops.linear(x, w)
        assert ops.linear_backward(np.ones((2, 4)), cache)[0].shape == (2, 3)
    assert ops.linear_backward is before
    with (
        pytest.raises(LibraryAnswerUsed),
        refuse_library_answer(["linear_backward"], tmp_path.parent / "answer.py"),
    ):
        code = compile("f(1, 2)", str(tmp_path.parent / "answer.py"), "exec")
        exec(code, {"f": ops.linear_backward})
    assert ops.linear_backward is before


def test_methods_of_the_librarys_class_are_refused(tmp_path):
    """Also under another name; and the class is whole again afterwards."""
    block, backward = find_exercise("block_backward"), Block.backward
    file = tmp_path / block.file_name
    answer = (
        "        from tervit_np.nn import Block as B\n        return B.backward(self, dy, cache)\n"
    )
    cut = f'        raise NotImplementedError("{NOT_WRITTEN}")\n'
    assert cut in block.student_file()
    file.write_text(block.student_file().replace(cut, answer))
    (finding,) = grade(block, file)
    assert finding.message.startswith("Block.backward of the library is the answer itself")
    assert "`return B.backward(self, dy, cache)`" in finding.what
    assert Block.backward is backward
