import threading
import time
from collections.abc import Sequence
from concurrent.futures import wait

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.losses import cross_entropy
from tervit_np.quant import IDENTITY, Plan, Ternary, TernaryGamma, UniformAct
from tervit_np.train import ParallelModel
from tervit_np.train import parallel as train_parallel
from tervit_np.train import turns as train_turns
from tervit_np.train.parallel import Replica
from tervit_np.train.parts import split_range
from tervit_np.train.turns import Turns


@pytest.mark.parametrize("plan", ["float", "ternary"])
@pytest.mark.parametrize(("threads", "pieces"), [(2, 1), (3, 1), (1, 3), (2, 2), (3, 9)])
def test_parts_add_up_to_the_whole_batch(plan, threads, pieces):
    config = tv.DeiTConfig(8, 4, 3, 16, 2, 2, pool="mean", init="xavier")
    model = tv.quantize(tv.DeiT(config, np.random.default_rng(0), "float64"), plan)
    rng = np.random.default_rng(1)
    images, labels = rng.normal(size=(7, 3, 8, 8)), rng.integers(0, 3, 7)

    logits, cache = model.forward(images, train=True)
    loss, dlogits = cross_entropy(logits, labels)
    model.backward(dlogits, cache)
    expected = {name: p.grad.copy() for name, p in model.named_params()}

    parallel = ParallelModel(model, threads, pieces)
    value = parallel.gradients(images, lambda z, part: cross_entropy(z, labels[part]), rng)
    parallel.close()
    assert value == pytest.approx(loss, rel=1e-12)
    for name, param in model.named_params():
        np.testing.assert_allclose(param.grad, expected[name], rtol=1e-9, atol=1e-12)


def test_a_block_that_two_places_share_has_the_sum_of_both_gradients():
    """Replicas counted it twice: once for each of its names."""
    config = tv.DeiTConfig(8, 4, 3, 16, 2, 2, pool="mean", init="xavier")
    model = tv.DeiT(config, np.random.default_rng(0), "float64")
    model.blocks[1] = model.blocks[0]
    rng = np.random.default_rng(1)
    images, labels = rng.normal(size=(7, 3, 8, 8)), rng.integers(0, 3, 7)
    logits, cache = model.forward(images)
    model.backward(cross_entropy(logits, labels)[1], cache)
    expected = model.blocks[0].mlp.fc1.weight.grad.copy()
    parallel = ParallelModel(model, 2, 2)
    parallel.gradients(images, lambda z, part: cross_entropy(z, labels[part]))
    parallel.close()
    np.testing.assert_allclose(model.blocks[0].mlp.fc1.weight.grad, expected, rtol=1e-9)


def test_replicas_share_weights_and_only_the_first_shares_the_gradients(model):
    first, second, third = ParallelModel(model, 2).replicas
    named = model.named_params()
    for (_, own), p, q, r in zip(named, first.params, second.params, third.params, strict=True):
        assert own.data is p.data is q.data is r.data
        assert own.grad is p.grad
        assert not np.shares_memory(p.grad, q.grad)
        assert not np.shares_memory(p.grad, r.grad)
        assert not np.shares_memory(q.grad, r.grad)


def test_no_range_is_empty():
    for count in range(1, 9):
        for parts in range(1, 12):
            lengths = [s.stop - s.start for s in split_range(count, parts)]
            assert sum(lengths) == count
            assert min(lengths) >= 1
            assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_of_an_earlier_batch_are_gone(model, threads):
    parallel, found = ParallelModel(model, threads, accumulate=2), []
    images = np.random.default_rng(0).normal(size=(8, 3, 8, 8)).astype(np.float32)
    for _ in range(2):
        rng = np.random.default_rng(1)
        parallel.gradients(images, lambda z, part: cross_entropy(z, np.zeros(len(z), int)), rng)
        found.append([param.grad.copy() for _, param in model.named_params()])
    parallel.close()
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(two, one)


@pytest.mark.parametrize(
    "rule",
    [
        (".*fc1", Ternary(), IDENTITY),
        (".*fc1", IDENTITY, UniformAct(8)),
        (".*norm1", TernaryGamma(), IDENTITY),
    ],
)
def test_a_model_that_was_quantized_later_is_refused(model, rule):
    parallel = ParallelModel(model, 2)
    tv.quantize(model, Plan([rule]))
    with pytest.raises(ValueError, match="quantized since its replicas were made"):
        parallel.gradients(np.zeros((4, 3, 8, 8), np.float32), None, np.random.default_rng(0))
    parallel.close()


def test_a_batch_without_images_has_no_mean(model):
    parallel = ParallelModel(model, 1)
    with pytest.raises(ValueError, match="found 0 images, expected at least 1"):
        parallel.gradients(np.zeros((0, 3, 8, 8), np.float32), lambda z, part: (0.0, z))
    parallel.close()


def test_an_error_in_a_part_is_not_swallowed(model):
    parallel = ParallelModel(model, 2)
    images = np.zeros((4, 3, 8, 8), np.float32)

    def fail_in_the_second(logits, part):
        if part.start:
            raise ValueError("second part")
        return cross_entropy(logits, np.zeros(len(logits), int))

    with pytest.raises(ValueError, match="second part"):
        parallel.gradients(images, fail_in_the_second, np.random.default_rng(0))


def test_parts_are_added_in_their_order_whichever_is_ready_first(model):
    images = np.random.default_rng(0).normal(size=(8, 3, 8, 8)).astype(np.float32)
    found = []
    for threads in (1, 4):
        parallel = ParallelModel(model, threads, accumulate=2)

        def slow_at_first(logits, part):
            time.sleep(0.04 - 0.005 * part.start)
            return cross_entropy(logits, np.zeros(len(logits), int))

        value = parallel.gradients(images, slow_at_first, np.random.default_rng(1))
        found.append([value, *(p.grad.copy() for _, p in model.named_params())])
        parallel.close()
    for one, four in zip(*found, strict=True):
        np.testing.assert_array_equal(four, one)


@pytest.mark.parametrize("failing", range(4))
def test_after_an_error_no_thread_waits_and_nothing_more_is_begun(model, failing):
    parallel, begun = ParallelModel(model, 2, accumulate=4), []

    def fail(logits, part):
        begun.append(part.start)
        if part.start == failing:
            raise ValueError(f"part {part.start}")
        return cross_entropy(logits, np.zeros(len(logits), int))

    with pytest.raises(ValueError, match=f"part {failing}"):
        parallel.gradients(np.zeros((8, 3, 8, 8), np.float32), fail, np.random.default_rng(0))
    parallel.close()
    assert max(begun) <= failing + 1


@pytest.mark.parametrize("part", range(4))
def test_after_ctrl_c_no_thread_waits_or_goes_on(model, part):
    """Ctrl-C raises in the main thread, wherever that is."""
    parallel, begun = ParallelModel(model, 2, accumulate=4), []

    def interrupted(logits, images):
        begun.append(images.start)
        time.sleep(0.02)
        if images.start >= part and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return cross_entropy(logits, np.zeros(len(logits), int))

    with pytest.raises(KeyboardInterrupt):
        parallel.gradients(
            np.zeros((8, 3, 8, 8), np.float32), interrupted, np.random.default_rng(0)
        )
    count = len(begun)
    assert count <= part + 3
    time.sleep(0.1)
    assert len(begun) == count
    parallel.close()


def test_after_ctrl_c_while_the_main_thread_waits_for_its_turn(model, monkeypatch):
    parallel, begun = ParallelModel(model, 2, accumulate=4), []
    take = Turns.take

    def interrupted(turns, number):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return take(turns, number)

    def slow(logits, part):
        begun.append(part.start)
        time.sleep(0.05)
        return cross_entropy(logits, np.zeros(len(logits), int))

    monkeypatch.setattr(Turns, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        parallel.gradients(np.zeros((8, 3, 8, 8), np.float32), slow, np.random.default_rng(0))
    assert len(begun) <= 3
    parallel.close()


def test_after_ctrl_c_between_two_parts_no_thread_waits_for_the_part_that_was_taken(
    model, monkeypatch
):
    """Ctrl-C may come when the main thread has taken a part and not begun it."""
    parallel, waited = ParallelModel(model, 2, accumulate=4), []
    main_has_taken, other_has_taken = threading.Event(), threading.Event()

    class Impatient(threading.Condition):
        def wait_for(self, predicate, timeout=None):
            if not super().wait_for(predicate, 5):
                waited.append("for ever")
            return True

    def interrupted(todo):
        if threading.current_thread() is not threading.main_thread():
            assert main_has_taken.wait(60)
            taken = take(todo)
            other_has_taken.set()
            return taken
        take(todo)
        main_has_taken.set()
        assert other_has_taken.wait(60)
        raise KeyboardInterrupt

    def loss(logits, part):
        return cross_entropy(logits, np.zeros(len(logits), int))

    take = train_parallel._take
    monkeypatch.setattr(parallel, "_share_weights", lambda: None)
    monkeypatch.setattr(train_parallel, "_take", interrupted)
    monkeypatch.setattr(train_turns, "Condition", Impatient)
    with pytest.raises(KeyboardInterrupt):
        parallel.gradients(np.zeros((8, 3, 8, 8), np.float32), loss, np.random.default_rng(0))
    parallel.close()
    assert not waited


def test_the_error_raised_is_that_of_the_part_and_not_one_that_follows_from_it(model, monkeypatch):
    """The other thread ends its wait before the one that has failed does anything more."""
    parallel, tasks = ParallelModel(model, 2, accumulate=4), []
    submit, end, main_has_begun = parallel._pool.submit, Turns.end, threading.Event()

    def remember(work):
        tasks.append(submit(work))
        return tasks[-1]

    def end_and_let_the_other_go_on(turns):
        end(turns)
        wait(tasks, 300)

    def fail_in_the_main_thread(logits, part):
        if threading.current_thread() is threading.main_thread():
            main_has_begun.set()
            raise ValueError("no loss")
        assert main_has_begun.wait(300)  # it may compile
        return cross_entropy(logits, np.zeros(len(logits), int))

    monkeypatch.setattr(parallel, "_share_weights", lambda: None)
    monkeypatch.setattr(parallel._pool, "submit", remember)
    monkeypatch.setattr(Turns, "end", end_and_let_the_other_go_on)
    images = np.zeros((8, 3, 8, 8), np.float32)
    with pytest.raises(ValueError, match="no loss"):
        parallel.gradients(images, fail_in_the_main_thread, np.random.default_rng(0))
    parallel.close()


def test_the_gradients_of_a_replica_are_one_array(model):
    replica = Replica(model)
    for param in replica.params:
        assert param.grad.shape == param.shape
        assert param.grad.flags.c_contiguous
        param.grad[...] = 1
    assert sum(p.size for p in replica.params) == sum(p.grad.sum() for p in replica.params)
    replica.zero_grad()
    assert not any(p.grad.any() for p in replica.params)
    assert not any(p.grad.any() for _, p in model.named_params())


class Slow(Sequence):
    """Numbers below 50; one thread at a time can iterate over them, as without Python's lock."""

    def __len__(self):
        return 50

    def __getitem__(self, i):
        return i

    def __iter__(self):
        for i in range(len(self)):
            time.sleep(1e-4)
            yield i


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_each_item_is_taken_once(model, threads):
    parallel, taken = ParallelModel(model, threads), []

    def square(i):
        taken.append(i)
        return i * i

    assert parallel.each(square, Slow()) == [i * i for i in range(50)]
    assert sorted(taken) == list(range(50))
    assert parallel.each(square, []) == []
    parallel.close()
