import pytest

from tervit_np.exercises.tasks import find_exercise

LAYERNORM = find_exercise("layernorm_backward")
GOOD = """
g = dy * gamma
g_mean = g.mean(axis=-1, keepdims=True)
g_xhat_mean = (g * xhat).mean(axis=-1, keepdims=True)
leading = tuple(range(dy.ndim - 1))
dx = rstd * (g - g_mean - xhat * g_xhat_mean)
dgamma = (dy * xhat).sum(axis=leading)
dbeta = dy.sum(axis=leading)
return dx, dgamma, dbeta
"""


def test_the_right_lines_pass(last_finding):
    assert last_finding(LAYERNORM, GOOD).ok


@pytest.mark.parametrize(
    ("right", "wrong", "where", "message"),
    [
        ("(g - g_mean - xhat * g_xhat_mean)", "g", "x (6, 5): dx", "taken as constants"),
        (" - g_mean", "", "x (6, 5): dx", "the path through mu is missing"),
        (" - xhat * g_xhat_mean", "", "x (6, 5): dx", "the path through var is missing"),
        ("- xhat * g_xhat_mean", "+ xhat * g_xhat_mean", "x (6, 5): dx", "var has the wrong sign"),
        ("g = dy * gamma", "g = dy", "x (6, 5): dx", "gamma is left out"),
        ("rstd * (g", "(g", "x (6, 5): dx", "rstd is left out"),
        ("mean(", "sum(", "x (6, 5): dx", "these are sums, not means"),
        ("axis=-1, keepdims=True", "", "x (6, 5): dx", "the means run over the whole array"),
        ("rstd * (g", "-rstd * (g", "x (6, 5): dx", "the sign"),
        ("rstd * (g", "rstd**2 * (g", "x (6, 5): dx", "one factor is wrong"),
        ("(dy * xhat).sum(", "dy.sum(", "dgamma", "what multiplies gamma is missing"),
        ("(dy * xhat).sum(", "(g * xhat).sum(", "dgamma", "gamma itself is in it"),
        ("(dy * xhat).sum(axis=leading)", "dy * xhat", "dgamma", "summed over all rows"),
        (
            "(dy * xhat).sum(axis=leading)",
            "(dy * xhat).sum(axis=0)",
            "x (5,): dgamma",
            "first axis",
        ),
        ("dbeta = dy.sum", "dbeta = g.sum", "dbeta", "beta is added after the product"),
        ("dbeta = dy.sum(axis=leading)", "dbeta = dy", "dbeta", "summed over all rows"),
        (", keepdims=True", "", "`dx = rstd", "with keepdims=True the second would be (6, 1)"),
        ("g = dy * gamma", "g = dy\ng *= gamma", "`g *= gamma`", "make a new one"),
    ],
)
def test_each_mistake_is_named(last_finding, right, wrong, where, message):
    assert right in GOOD
    finding = last_finding(LAYERNORM, GOOD.replace(right, wrong))
    assert where in finding.what
    assert message in finding.message
