import numpy as np
import pytest

from tervit_np.analysis.surfaces.partial_results import Parts, fingerprint, pack, unpack


def test_parts_come_back_to_the_measurement_they_are_of(tmp_path):
    parts = Parts(tmp_path / "parts")
    assert parts.load("line", "a") == {}
    parts.save("line", "a", {"0": 1.5})
    assert parts.load("line", "a") == {"0": 1.5}
    assert parts.load("line", "b") == {}
    assert parts.load("other", "a") == {}


@pytest.mark.parametrize("text", ["", '{"fingerprint": "a", "par', "[1]", '{"fingerprint": "a"}'])
def test_a_damaged_file_is_measured_again(tmp_path, text):
    (tmp_path / "line.json").write_text(text)
    assert Parts(tmp_path).load("line", "a") == {}


def test_nothing_is_left_behind(tmp_path):
    parts = Parts(tmp_path / "parts")
    parts.save("line", "a", {})
    parts.clear()
    parts.clear()
    assert not list(tmp_path.iterdir())


def test_without_a_folder_nothing_is_kept():
    parts = Parts()
    parts.save("line", "a", {"0": 1})
    assert parts.load("line", "a") == {}


def test_packed_numbers_are_exact():
    values = np.random.default_rng(0).normal(size=99).astype("f")
    np.testing.assert_array_equal(unpack(pack(values)), values)


def test_the_fingerprint_sees_weights_quantizers_arrays_and_facts(tiny, sample):
    before = fingerprint([tiny()], sample, "x")
    assert before == fingerprint([tiny()], sample, "x")
    changed = tiny()
    changed.norm.bias.data[0] += 1e-6
    others = [
        fingerprint([changed], sample, "x"),
        fingerprint([tiny("int8")], sample, "x"),
        fingerprint([tiny()], [sample[0] + 1, sample[1]], "x"),
        fingerprint([tiny()], sample, "y"),
    ]
    assert len({before, *others}) == 5
