"""Further mistakes in the exercises about a block, the optimizer and distillation."""

import pytest

DROPPED = "d = drop_path_backward(dx_mid, cache.drop1)"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("dx = dx_mid + self.norm1", "dx = dy + self.norm1", "the skip around attention hands on"),
        ("dx = dx_mid + self.norm1", "dx = self.norm1", "the skip around attention is missing"),
        ("        return dx", "        pass", "nothing is returned"),
        ("self.mlp.backward(d, cache.mlp)", "self.mlp.backward(d, cache)", "mlp.backward gets an"),
        ("d = self.attn.backward(d, cache.attn)", "pass", "attn.backward is never called"),
        ("d = self.mlp", "self.mlp.backward(d, cache.mlp)\n        d = self.mlp",
         "mlp.backward is called 2 times"),
        ("d = self.mlp.backward(d, cache.mlp)\n        dx_mid = dy + self.norm2.backward(d, ca"
         "che.norm2)", "d = self.norm2.backward(d, cache.norm2)\n        dx_mid = dy + self.mlp."
         "backward(d, cache.mlp)", "the parts are called in the order norm2, mlp, attn, norm1"),
        (DROPPED, "d = dx_mid", "drop_path_backward of the attention branch is missing"),
        ("d = drop_path_backward(dy, cache.drop2)", "d = dy = drop_path_backward(dy, cache.drop2)",
         "the skip around the MLP is dropped too"),
        ("        return dx", "        self.zero_grad()\n        return dx",
         "the gradient of norm1.weight: it is 0"),
    ],
)  # fmt: skip
def test_mistakes_with_a_block_are_named(finding_of, right, wrong, message):
    assert message in finding_of("block_backward", right, wrong).message


STEP = "self.lr * m_hat / (np.sqrt(v_hat) + self.eps)"
FIRST = "m[...] = b1 * m + (1 - b1) * g"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("self.lr * decay", "decay", "the decay lacks its factor lr"),
        ("p *= 1 - self.lr * decay\n", "\n", "the decay is missing"),
        ("p -= self", "p += self", "the sign: p moves against the gradient"),
        ("p -= self", "p = p - self", "only the decay has reached it: `p = ` makes a new array"),
        (STEP, "self.lr * m_hat / np.sqrt(v_hat)", "eps is missing"),
        ("np.sqrt(v_hat)", "v_hat", "the root is missing"),
        (STEP, "self.lr * m_hat / (np.sqrt(v) + self.eps) * v_scale**0.5",
         "eps is added to the root of v before the correction"),
        ("(1 - b2) * g**2", "(1 - b2) * g", "v is a mean of g^2, not of g"),
        ("g**2", "np.abs(g)", "it is a mean of |g|"),
        ("b2 * v + (1 - b2)", "b1 * v + (1 - b1)", "it decays with b1"),
        (FIRST, "m[...] = (1 - b1) * m + b1 * g", "b1 and 1 - b1 are exchanged"),
        (FIRST, "m += (1 - b1) * g", "b1 is missing: the old m counts b1 times"),
        ("m / m_scale\n        v_hat = v / v_scale", "m / (1 - b1)\n        v_hat = v / (1 - b2)",
         "they are corrected by 1 - b1 and 1 - b2 in each step"),
        ("m / m_scale\n        v_hat = v / v_scale", "m / v_scale\n        v_hat = v / m_scale",
         "m_scale and v_scale are exchanged"),
        ("p *= 1 - self.lr * decay", "g += decay * p", "an array that the caller still needs"),
    ],
)  # fmt: skip
def test_mistakes_with_the_optimizer_are_named(finding_of, right, wrong, message):
    assert message in finding_of("adamw", right, wrong).message


def test_a_decay_after_the_step_is_named(finding_of):
    wrong = f"p -= {STEP}\n        p *= 1 - self.lr * decay"
    right = f"p *= 1 - self.lr * decay\n\n        {FIRST}"
    finding = finding_of("adamw", right, FIRST, f"p -= {STEP}", wrong)
    assert "the decay comes after the step" in finding.message


LOSS, GRADIENT = "(p_t * (log_t - log_s)).sum() / batch", "temperature * (p_s - p_t) / batch"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("temperature**2 * (p_t", "temperature * (p_t", "it has T, not T^2"),
        ("log_softmax(teacher / temperature)", "log_softmax(teacher)",
         "only the student's logits are divided by T"),
        (" / temperature)\n", ") / temperature\n", "log_softmax is divided by T; divide z"),
        (LOSS, "(p_t * (log_t - log_s)).mean()", "it is divided by B C; divide by B"),
        (LOSS, "(p_t * (log_t - log_s)).sum()", "it is a sum; divide by B"),
        (GRADIENT, "temperature * (p_t - p_s) / batch", "the sign: it is p_s - p_t"),
        (GRADIENT, "temperature * (p_s - p_t)", "it is not divided by B"),
        (GRADIENT, "temperature**2 * (p_s - p_t) / batch", "without the 1 / T of z / T"),
        (GRADIENT, "temperature * (log_s - log_t) / batch", "these are differences of logarithms"),
        (".astype(student.dtype)", "", "dL/dz is float64, expected float32"),
        ("return float(loss), dstudent", "return dstudent, loss, dstudent", "one result is ret"),
        ("return float(loss), dstudent.astype(student.dtype)", "return p_s, dstudent",
         "the loss has shape (1, 2); it is one number"),
        ("return float(loss)", "return None", "the loss is NoneType; it is one number"),
    ],
)  # fmt: skip
def test_mistakes_with_distillation_are_named(finding_of, right, wrong, message):
    assert message in finding_of("distillation", right, wrong).message
