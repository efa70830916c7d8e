import pytest

from tervit_np.exercises.tasks import find_exercise

LAYERNORM = find_exercise("layernorm_backward")
GOOD = """
g = dy * gamma
one = g.mean(axis=-1, keepdims=True)
two = (g * xhat).mean(axis=-1, keepdims=True)
every = tuple(range(dy.ndim - 1))
dx = rstd * (g - one - xhat * two)
dgamma = (dy * xhat).sum(axis=every)
dbeta = dy.sum(axis=every)
return dx, dgamma, dbeta
"""


def test_the_good_lines_are_good(last):
    assert last(LAYERNORM, GOOD).ok


@pytest.mark.parametrize(
    ("right", "wrong", "where", "why"),
    [
        ("(g - one - xhat * two)", "g", "x (6, 5): dx", "taken as constants"),
        (" - one", "", "x (6, 5): dx", "the path through mu is missing"),
        (" - xhat * two", "", "x (6, 5): dx", "the path through var is missing"),
        ("- xhat * two", "+ xhat * two", "x (6, 5): dx", "var has the wrong sign"),
        ("g = dy * gamma", "g = dy", "x (6, 5): dx", "gamma is left out"),
        ("rstd * (g", "(g", "x (6, 5): dx", "rstd is left out"),
        ("mean(", "sum(", "x (6, 5): dx", "sums stand where means belong"),
        ("axis=-1, keepdims=True", "", "x (6, 5): dx", "the means run over the whole array"),
        ("rstd * (g", "-rstd * (g", "x (6, 5): dx", "the sign"),
        ("rstd * (g", "rstd**2 * (g", "x (6, 5): dx", "one factor is another's"),
        ("(dy * xhat).sum(", "dy.sum(", "dgamma", "what multiplies gamma is missing"),
        ("(dy * xhat).sum(", "(g * xhat).sum(", "dgamma", "gamma itself is in it"),
        ("(dy * xhat).sum(axis=every)", "dy * xhat", "dgamma", "summed over all rows"),
        ("(dy * xhat).sum(axis=every)", "(dy * xhat).sum(axis=0)", "x (5,): dgamma", "first axis"),
        ("dbeta = dy.sum", "dbeta = g.sum", "dbeta", "beta is added after gamma"),
        ("dbeta = dy.sum(axis=every)", "dbeta = dy", "dbeta", "summed over all rows"),
        (", keepdims=True", "", "`dx = rstd", "with keepdims=True the second would be (6, 1)"),
        ("g = dy * gamma", "g = dy\ng *= gamma", "`g *= gamma`", "make a new one"),
    ],
)
def test_mistakes_that_are_known(last, right, wrong, where, why):
    assert right in GOOD
    found = last(LAYERNORM, GOOD.replace(right, wrong))
    assert where in found.what
    assert why in found.why
