import pytest

from tervit_np.exercises.tasks import find_exercise

LINEAR = find_exercise("linear_backward")
DX = "(rows(dy) @ cache.weight).reshape(cache.x.shape)"
DWEIGHT = "rows(dy).T @ rows(cache.x)"
DBIAS = "rows(dy).sum(axis=0)"


@pytest.mark.parametrize(
    ("dx", "dweight", "dbias", "where", "message"),
    [
        ("rows(dy) @ cache.weight", DWEIGHT, DBIAS, "x (5,): dx", "the shape is not that of x"),
        (f"2 * {DX}", DWEIGHT, DBIAS, "]]: dx", "counted twice"),
        (DWEIGHT, DX, DBIAS, "]]: dx", "this is dweight: is the order dx, dweight"),
        (f"({DX}).astype(np.float32)", DWEIGHT, DBIAS, "x (6, 5): dx", "what narrowed it?"),
        (
            f"np.asmatrix({DX})",
            DWEIGHT,
            DBIAS,
            "on paper",
            "np.matrix, in which `*` means a matrix",
        ),
        (DX, "np.ones_like(rows(dy)).T @ rows(cache.x)", DBIAS, "]]: dweight", "dy is missing"),
        (DX, DWEIGHT, "dy.sum()", "]]: dbias", "its shape is (), expected (4,): one sum too many"),
        (DX, DWEIGHT, "rows(dy).sum(axis=0, keepdims=True)", "]]: dbias", "drop keepdims"),
        (DX, DWEIGHT, "dy if dy.ndim == 1 else " + DBIAS, "x (5,): dbias", "dbias is dy itself or"),
        (DX, f"({DWEIGHT}).T", DBIAS, "]]: dweight", "it is transposed"),
        (DX, f"{DWEIGHT} / len(dy)", DBIAS, "]]: dweight", "averaged over the rows"),
        (DX, DWEIGHT, "dy", "]]: dbias", "summed over all rows"),
        (DX, DWEIGHT, "dy.mean(axis=0)", "]]: dbias", "averaged over the rows"),
        (DX, DWEIGHT, "dy.sum(axis=-1)", "]]: dbias", "it is summed over the outputs"),
        (DX, DWEIGHT, "dy.sum(axis=0)", "x (5,): dbias", "over the first axis alone"),
        (DX, DWEIGHT, f"{DBIAS}.astype(float)", "float32 stays float32", "dbias is float64"),
        (
            "dy @ cache.weight",
            "dy.T @ cache.x",
            DBIAS,
            "dy.T @ cache.x",
            "the inner sizes are 4 and 5 (dy is (4,), ",
        ),
    ],
)
def test_each_mistake_is_named(last_finding, dx, dweight, dbias, where, message):
    finding = last_finding(LINEAR, f"return {dx}, {dweight}, {dbias}")
    assert where in finding.what
    assert message in finding.message


def test_the_formula_element_by_element_passes(last_finding):
    """Slow, but right."""
    finding = last_finding(
        LINEAR,
        """
w = cache.weight
dx, dweight, dbias = np.zeros_like(cache.x), np.zeros_like(w), np.zeros_like(w[:, 0])
for m in np.ndindex(dy.shape[:-1]):
    for o in range(len(w)):
        dbias[o] += dy[m][o]
        for i in range(w.shape[1]):
            dx[m][i] += dy[m][o] * w[o, i]
            dweight[o, i] += dy[m][o] * cache.x[m][i]
return dx, dweight, dbias
""",
    )
    assert finding.ok
