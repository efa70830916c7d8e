import numpy as np

from data_tools.sampling import epoch_order, step_rng


def test_an_epoch_visits_every_image_once():
    assert sorted(epoch_order(100, 0, 0, 0)) == list(range(100))


def test_orders_differ_by_seed_stage_and_epoch():
    orders = [tuple(epoch_order(50, s, t, e)) for s in range(2) for t in range(2) for e in range(2)]
    assert len(set(orders)) == 8
    assert orders[0] == tuple(epoch_order(50, 0, 0, 0))


def test_every_step_has_its_own_generator():
    draws = [step_rng(0, 0, 0, step).random() for step in range(100)]
    assert len(set(draws)) == 100
    assert step_rng(0, 1, 2, 3).random() == step_rng(0, 1, 2, 3).random()
    assert np.std(draws) > 0.2
