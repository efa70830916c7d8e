"""Inputs on which a careless operator loses digits, for both frameworks."""

import numpy as np

from tervit_np.verify.golden import uniform_from_name


def layernorm_cases():
    """Return {case: (x, gamma, beta, dy)}."""
    x = uniform_from_name("layernorm x", (4, 6))
    cases = {
        "far": 1e4 + x,  # |mean| >> std
        "constant": np.full((4, 6), 3.0),  # variance 0: eps alone
        "tiny": 1e-5 * x,  # variance below eps
        "huge": 1e12 * x,
        "one": uniform_from_name("layernorm one", (4, 1)),  # a single channel: the output is beta
    }
    return {
        case: (
            rows,
            uniform_from_name("gamma", rows.shape[1:]),
            uniform_from_name("beta", rows.shape[1:]),
            uniform_from_name("layernorm dy", rows.shape),
        )
        for case, rows in cases.items()
    }


def softmax_cases():
    """Return {case: (x, dy)}."""
    cases = {
        "spread": np.array([[800.0, -800.0, 0.0, 799.0], [-1e4, -1e4 - 1, -1e4 - 2, -1e4 - 40]]),
        "ties": np.array([[2.0, 2.0, 2.0, 2.0], [5.0, 5.0, -5.0, 5.0]]),
        "one": np.array([[3.0], [-700.0]]),
        "masked": uniform_from_name("softmax", (2, 4)) + np.array([0.0, -100.0, 0.0, -100.0]),
    }
    dy = {case: uniform_from_name(f"softmax dy {case}", x.shape) for case, x in cases.items()}
    return {case: (x, dy[case]) for case, x in cases.items()}


def gelu_values():
    """Return x and dy: zeros of both signs, both flat ends, large values, 1 + erf near 0."""
    points = [0.0, -0.0, 1e-300, -1e-300, 1e-9, -0.7517916, 37.0, -37.0, 1e4, -1e4]
    x = np.concatenate([points, np.linspace(-9, 9, 30)])
    return x, uniform_from_name("gelu dy", x.shape)


def loss_cases():
    """Return student logits, teacher logits, soft targets and labels, with extreme rows."""
    student, teacher = (4 * uniform_from_name(name, (6, 7)) for name in ("student", "teacher"))
    student[4] *= 200
    teacher[5] *= 200
    soft = np.abs(uniform_from_name("soft", (6, 7)))
    soft[2] = np.eye(7)[3]  # a one-hot row
    return student, teacher, soft / soft.sum(axis=1, keepdims=True), np.arange(6)
