import numpy as np
import pytest

from tervit_np.analysis.report.weights import fit
from tervit_np.quant import Ternary

W = np.random.default_rng(0).normal(size=(4, 20))
W[:, 0] = 9.0  # raises mean and threshold of its row, unless it is clipped


@pytest.mark.parametrize("granularity", ["channel", "tensor"])
@pytest.mark.parametrize("clip", [None, 1.2])
def test_thresholds_and_scales_are_those_of_the_quantizer(clip, granularity):
    quantizer = Ternary(granularity, clip=clip)
    fitted, (codes, scale, _) = fit(W, quantizer), quantizer.encode(W)
    assert fitted.codes.tolist() == codes.tolist()
    assert fitted.scale.tolist() == scale.tolist()
    beyond = np.abs(W) > np.reshape(fitted.threshold, (-1, 1))
    assert beyond.tolist() == (codes != 0).tolist()
