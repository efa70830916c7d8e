"""Further mistakes in the exercises about bfloat16 and QuEST's mask."""

import pytest

ROUNDED, LOW = "bits + 0x7FFF + last", "return high, low"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (ROUNDED, "bits + 0xFFFF", "it is rounded away from 0; add less than 0xFFFF"),
        (ROUNDED, "bits + 0x17FFF + last", "these are one step too large"),
        (ROUNDED, "x + 0x7FFF", "TypeError"),
        (LOW, "return high", "one array is returned, expected 2 arrays, high, low"),
        (LOW, "return low, high", "high: this is low: return high, then low"),
        (LOW, "return x, low", "high: this is x itself"),
        (LOW, "return high, high", "low: this is high again"),
        (LOW, "return high, floats_of(bfloat16_bits(x)) - high", "low: it is 0: round what high"),
        (LOW, "return high, bfloat16_bits(x - high)", "low is uint16: these are bits"),
        ("high = floats_of(bfloat16_bits(x))",
         "high = (x.view(np.uint32) & 0xFFFF0000).view(np.float32)", "x is cut, not rounded"),
    ],
)  # fmt: skip
def test_mistakes_with_bfloat16_are_named(finding_of, right, wrong, message):
    assert message in finding_of("bfloat16", right, wrong).message


R, CODES = "largest[:, 0] * np.sqrt(mean)", "np.abs(matrix) > level[:, None] / 2"
ERROR, DW = "np.abs(w_hat - w) <= level / 2", "dw_hat * cache.trusted"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (R, "np.square(wide).mean(axis=1)", "the root is missing: it is sqrt(mean w^2)"),
        (R, "np.sqrt(np.square(wide).sum(axis=1))", "the length of the row; divide the sum by n"),
        (R, "wide.std(axis=1)", "the standard deviation; no mean is taken away"),
        (R, "np.full(len(wide), np.sqrt(np.square(wide).mean()))", "each row has its own"),
        ("largest = np.where(largest == 0, 1, largest)", "pass", "r is [nan, "),
        ("np.abs(wide).max(axis=1, keepdims=True)", "np.full((len(wide), 1), np.abs(wide).max())",
         "r of row 1: these squares over- or underflow"),
        (CODES, "np.abs(matrix) > level[:, None] / 1.224 / 2", "the threshold is r / 2; it is a"),
        (CODES, "np.abs(matrix) >= level[:, None] / 2", "the inequality is strict"),
        (CODES, "np.abs(matrix) > 0.5", "the threshold is 1 / 2; that of a row is its own"),
        (CODES, "np.abs(matrix) <= level[:, None] / 2", "the comparison is the wrong way round"),
        (f"np.sign(matrix) * ({CODES})", CODES, "the signs are missing"),
        (f"np.sign(matrix) * ({CODES})", "np.sign(matrix)", "these are the signs alone"),
        ("level[:, None] / 2", "level / 2", "with keepdims=True the second would be (4, 1)"),
        (ERROR, "np.abs(w_hat - w) > level / 2", "True where the error is large"),
        (ERROR, "np.abs(w_hat - w) <= level", "nothing is masked; where the error is above"),
        (ERROR, "w_hat - w <= level / 2", "w_hat - w has a sign; compare its magnitude"),
        (ERROR, "w - w_hat <= level / 2", "w - w_hat has a sign; compare its magnitude"),
        (ERROR, "codes != 0", "the code does not matter"),
        (ERROR, "np.ones(w.shape, bool)", "nothing is masked"),
        (ERROR, f"({ERROR}) * 1.0", "trusted is float64, expected an array of true and false"),
        (DW, "dw_hat * ~cache.trusted", "the mask is the wrong way round"),
        (DW, "cache.trusted * 1.0", "this is the mask; it multiplies dw_hat"),
        (f"return {DW}", "pass", "nothing is returned, expected an array"),
    ],
)  # fmt: skip
def test_mistakes_with_the_mask_are_named(finding_of, right, wrong, message):
    assert message in finding_of("trust_mask", right, wrong).message
