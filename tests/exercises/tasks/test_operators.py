"""Further mistakes in the exercises about softmax, GELU, differences, patches and heads."""

import pytest

from tervit_np.exercises.grader import grade
from tervit_np.exercises.tasks import find_exercise


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("softmax", "y = np.exp(x * scale)\nreturn y, y", "it is not divided by the sum"),
        ("softmax", "return np.exp(x)", "return it twice, also as the cache"),
        ("softmax", "e = np.exp(x)\ny = e / e.sum()\nreturn y, y", "each row sums to 1"),
        ("softmax", "z = x * scale\ne = np.exp(z - z.min(-1, keepdims=True))\n"
         "y = e / e.sum(-1, keepdims=True)\nreturn y, y", "take the largest away"),
        ("softmax", "e = np.exp(x)\ny = e / e.sum(axis=0)\nreturn y, y", "the sum runs over axis"),
        ("softmax_backward", "return scale * (dy - (dy * y).sum(1, keepdims=True))", "y is miss"),
        ("softmax_backward", "return scale * y * (dy - (dy * y).sum())", "each row has its own"),
        ("softmax_backward", "return scale * y * (dy - dy.sum(-1, keepdims=True))", "s is the sum"),
        ("softmax_backward", "return scale * y * (1 - y) * dy", "logistic function"),
        ("gelu_backward", "return dy * x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)",
         "the product rule's first term"),
        ("gelu_backward", "return dy * x * gaussian_cdf(x)", "this is GELU itself times dy"),
        ("gelu_backward", "return (dy * (gaussian_cdf(x) + x * np.exp(-x * x / 2)"
         " / math.sqrt(2 * math.pi))).astype(np.float32)", "what narrowed it?"),
        ("numerical_gradient", "x[0] += STEP", "an array that the caller still needs"),
        ("numerical_gradient", "return f(x)", "the gradient is [1, 4], expected [2, 40]"),
        ("numerical_gradient", "return [0.0]", "the gradient is list"),
        ("patchify", "return images", "its shape is (1, 1, 2, 4), expected (1, 2, 4)"),
        ("patchify", "pass", "nothing is returned"),
        ("patchify", "x = images.reshape(batch, channels, height // patch, patch, -1, patch)\n"
         "x = x.transpose(0, 2, 4, 1, 5, 3)\nreturn x.reshape(batch, x.shape[1] * x.shape[2], -1)",
         "rows and columns of a patch are exchanged"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(last_finding, name, lines, message):
    assert message in last_finding(find_exercise(name), lines).message


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("return q, k, v", "return k, q, v", "q: this is k; return q, k, v in this order"),
        ("return q, k, v", "return q", "one array is returned, expected 3 arrays, q, k, v"),
        ("by_head.swapaxes(1, 2)", "by_head", "T and H are still to be swapped"),
        ("return q, k, v", "return x.transpose(2, 0, 3, 1, 4)", ""),
        ("return q, k, v", "return q, k.swapaxes(-1, -2), v", "k: its shape is (1, 2, 1, 2)"),
    ],
)
def test_mistakes_with_heads_are_named(tmp_path, right, wrong, message):
    heads = find_exercise("split_heads")
    file = tmp_path / heads.file_name
    assert right in heads.plain_file()
    file.write_text(heads.plain_file().replace(right, wrong))
    assert message in grade(heads, file)[-1].message


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            "return float(loss), dlogits",
            "return float(loss)",
            "one result is returned, expected two",
        ),
        ("loss = -", "loss = ", "the sign: log p is negative, a loss is not"),
        ("(targets * log_p).sum() / batch", "(targets * log_p).mean()", "divide by B"),
        ("(np.exp(log_p) - targets) / batch", "np.exp(log_p) / batch", "q is missing"),
        ("return float(loss), dlogits", "return log_p, dlogits", "it is one number"),
        ("return float(loss), dlogits", "return None, dlogits", "the loss is NoneType; it is one"),
    ],
)
def test_mistakes_with_the_loss_are_named(tmp_path, right, wrong, message):
    loss = find_exercise("cross_entropy")
    file = tmp_path / loss.file_name
    assert right in loss.plain_file()
    file.write_text(loss.plain_file().replace(right, wrong))
    assert message in grade(loss, file)[-1].message
