import pytest

from tervit_np.analysis.step_cost import Machine, Work, step_cost

WORK = Work(operations=4e9, parameters=10**6, patches=64, batch=128)  # eight parts of 16 images
MACHINE = Machine(cores=2, operations=32e9, network=1e9, memory=28e9, latency=1e-3)


def test_one_rank_computes_and_updates():
    cost = step_cost(WORK, MACHINE, 1)
    assert (cost.compute, cost.update) == (4 * 2.0, 1e-3)  # four parts on each core
    assert cost.seconds == pytest.approx(8.001)


def test_two_ranks_exchange_half_a_gradient_for_each_part():
    cost = step_cost(WORK, MACHINE, 2)
    assert cost.compute == 2 * 2.0
    assert cost.exchange == pytest.approx(4 * 2e-3)
    assert cost.exposed == cost.gather == pytest.approx(2e-3)  # the last part's, and the sum
    assert cost.latency == pytest.approx(5e-3)
    assert cost.seconds == pytest.approx(4 + 2e-3 + 2e-3 + 1e-3 + 5e-3)


def test_a_slow_network_is_what_a_step_waits_for():
    slow = MACHINE._replace(network=1e6)
    cost = step_cost(WORK, slow, 2)
    assert cost.exposed == pytest.approx(8 - 4 + 2)


def test_more_ranks_than_parts_are_no_faster():
    fast = MACHINE._replace(network=1e15, latency=0.0, cores=1)
    costs = [step_cost(WORK, fast, ranks).compute for ranks in (4, 8, 100)]
    assert costs == [4.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="ranks is 0"):
        step_cost(WORK, fast, 0)
