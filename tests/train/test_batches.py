import numpy as np

from tervit_np.train import Recipe
from tervit_np.train.batches import Batches


def test_an_epoch_shows_every_image_once(data):
    """Without augmentation, the eight batches of an epoch are the set in another order."""
    from data_tools import Augment, normalise

    plain = Recipe(batch_size=8, augment=Augment(0, False))
    batches = Batches(data.train, plain, seed=0)
    drawn = np.concatenate([batches.draw(0, step)[0] for step in range(8)])
    expected = normalise(data.train.images, data.train.mean, data.train.std)
    assert sorted(x.tobytes() for x in drawn) == sorted(x.tobytes() for x in expected)


def test_a_step_does_not_depend_on_the_steps_before(data, recipe):
    in_order = Batches(data.train, recipe, seed=3)
    before = [in_order.draw(1, step) for step in range(20)]
    for step in (13, 2, 19):
        images, targets, rng = Batches(data.train, recipe, seed=3).draw(1, step)
        np.testing.assert_array_equal(images, before[step][0])
        np.testing.assert_array_equal(targets, before[step][1])
        assert rng.random() == before[step][2].random()


def test_stages_and_seeds_draw_differently(data, recipe):
    seen = [
        Batches(data.train, recipe, seed).draw(stage, 0)[0] for seed in (0, 1) for stage in (0, 1)
    ]
    assert len({x.tobytes() for x in seen}) == 4
