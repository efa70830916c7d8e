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
        ("(g - g_mean - xhat * g_xhat_mean)", "g", ": dx", "taken as constants"),
        (" - g_mean", "", ": dx", "the path through mu is missing"),
        (" - xhat * g_xhat_mean", "", ": dx", "the path through var is missing"),
        ("- xhat * g_xhat_mean", "+ xhat * g_xhat_mean", ": dx", "var has the wrong sign"),
        ("g = dy * gamma", "g = dy", ": dx", "gamma is left out"),
        ("rstd * (g", "(g", ": dx", "rstd is left out"),
        ("mean(", "sum(", ": dx", "these are sums, not means"),
        ("axis=-1, keepdims=True", "", ": dx", "the means run over the whole array"),
        ("rstd * (g", "-rstd * (g", ": dx", "the sign"),
        ("rstd * (g", "1 / rstd * (g", ": dx", "rstd is 1 / std already"),
        ("rstd * (g", "rstd**2 * (g", ": dx", "rstd is in it twice"),
        ("axis=-1, keepdims=True", "axis=0", ": dx", "that is BatchNorm"),
        ("rstd * (g", "gamma * rstd * (g", ": dx", "twice, before and after the projections"),
        ("g = dy * gamma", "g = dy * gamma * gamma", ": dx", "gamma is in it twice: dL/dxhat is"),
        ("- xhat * g_xhat_mean", "- g_xhat_mean", ": dx", "lacks its factor xhat"),
        ("xhat * g_xhat_mean", "xhat * g_mean", ": dx", "holds mean(g); it is mean(g xhat)"),
        (
            "(g - g_mean - xhat * g_xhat_mean)",
            "(g - (g_mean + xhat * g_xhat_mean) * 5 / 4)",
            ": dx",
            "divide by D - 1",
        ),
        ("return dx, dgamma", "return dgamma, dx", ": dx", "this is dgamma: is the order"),
        ("dgamma, dbeta", "dbeta, dgamma", "dgamma", "this is dbeta: is the order dx, dgamma, db"),
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
