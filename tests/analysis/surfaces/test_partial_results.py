import numpy as np
import pytest

from tervit_np.analysis.surfaces.partial_results import PartialResults, fingerprint, pack, unpack


def test_results_are_loaded_by_name_and_fingerprint(tmp_path):
    partial = PartialResults(tmp_path / "parts")
    assert partial.load("line", "a") == {}
    partial.save("line", "a", {"0": 1.5})
    assert partial.load("line", "a") == {"0": 1.5}
    assert partial.load("line", "b") == {}
    assert partial.load("other", "a") == {}


@pytest.mark.parametrize("text", ["", '{"fingerprint": "a", "par', "[1]", '{"fingerprint": "a"}'])
def test_a_damaged_file_is_measured_again(tmp_path, text):
    (tmp_path / "line.json").write_text(text)
    assert PartialResults(tmp_path).load("line", "a") == {}


def test_clear_removes_the_folder(tmp_path):
    partial = PartialResults(tmp_path / "parts")
    partial.save("line", "a", {})
    partial.clear()
    partial.clear()
    assert not list(tmp_path.iterdir())


def test_clear_removes_what_a_killed_process_left(tmp_path):
    partial = PartialResults(tmp_path / "parts")
    partial.save("line", "a", {})
    (tmp_path / "parts" / ".line.json.0123456789abcdef.partial").write_text("{")
    partial.clear()
    assert not list(tmp_path.iterdir())


def test_clear_leaves_the_files_of_others(tmp_path):
    partial = PartialResults(tmp_path / "parts")
    partial.save("line", "a", {})
    (tmp_path / "parts" / "notes.txt").write_text("mine")
    partial.clear()
    assert [file.name for file in (tmp_path / "parts").iterdir()] == ["notes.txt"]


def test_without_a_folder_results_are_not_stored():
    partial = PartialResults()
    partial.save("line", "a", {"0": 1})
    assert partial.load("line", "a") == {}


def test_packed_numbers_are_exact():
    values = np.random.default_rng(0).normal(size=99).astype("f")
    np.testing.assert_array_equal(unpack(pack(values)), values)


def test_the_fingerprint_depends_on_weights_quantizers_arrays_and_facts(tiny, sample):
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
