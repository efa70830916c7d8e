import numpy as np

from tervit_np.analysis.surfaces.resampling import bootstrap_weights, standard_error


def test_the_error_of_a_mean_agrees_with_the_formula():
    losses = np.random.default_rng(0).exponential(size=(2, 3, 400))
    expected = losses.std(axis=2, ddof=1) / np.sqrt(400)
    error = standard_error(losses, bootstrap_weights(400, 0, 4000))
    np.testing.assert_allclose(error, expected, rtol=0.06)


def test_each_resample_has_as_many_images():
    weights = bootstrap_weights(10, 3, 50)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert weights.std() > 0
    np.testing.assert_array_equal(weights, bootstrap_weights(10, 3, 50))
    assert (weights != bootstrap_weights(10, 4, 50)).any()


def test_common_variation_cancels_in_a_difference():
    rng = np.random.default_rng(1)
    hard = rng.exponential(size=300)
    other = hard + 0.01 * rng.normal(size=300)
    weights = bootstrap_weights(300)
    assert standard_error(other - hard, weights) < 0.02 * standard_error(hard, weights)
