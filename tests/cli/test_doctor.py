import pytest

from tervit_np.cli import doctor


def test_the_report_has_all_parts(tervit):
    code, out, _ = tervit("doctor")
    assert code == 0
    for word in (
        "Python",
        "numpy",
        "numba",
        "BLAS kernel",
        "processor",
        "free disk",
        "data shapes",
    ):
        assert word in out


def test_a_slow_blas_kernel_is_explained(tervit, monkeypatch):
    monkeypatch.setenv("TERVIT_DROPPED_CORETYPE", "Haswell")
    monkeypatch.setenv("COLUMNS", "80")
    out = tervit("doctor")[1]
    assert "-> OPENBLAS_CORETYPE=Haswell slows NumPy down" in out
    (advice,) = (line for line in out.splitlines() if "Haswell" in line)
    assert len(advice) <= 80


def test_a_forced_numpy_backend_is_explained(tervit):
    import tervit_np as tv

    with tv.backend("numpy"):
        assert "unset it to train faster" in tervit("doctor")[1]


def test_an_absent_package_is_explained(tervit, monkeypatch):
    monkeypatch.setattr(
        "tervit_np.environment.installed_version",
        lambda name: "absent" if name == "numba" else "1.0",
    )
    assert "pip install numba (without it" in tervit("doctor")[1]


def test_the_ternary_kernel_is_named(tervit, monkeypatch):
    monkeypatch.setenv("TERVIT_KERNEL", "numpy")
    assert "ternary kernel  numpy" in tervit("doctor")[1]
    monkeypatch.setenv("TERVIT_KERNEL", "fast")
    assert "-> TERVIT_KERNEL is 'fast'; expected one of" in tervit("doctor")[1]


def test_the_instructions_for_bfloat16_are_named(tervit, monkeypatch):
    pytest.importorskip("numba")
    from tervit_np.compiled import bf16_matmul

    monkeypatch.setattr(bf16_matmul, "bf16_tile", lambda: bf16_matmul.EMULATED)
    for pairs, named in ((True, "AVX-512 BF16"), (False, "float32 multiply-adds (slower")):
        monkeypatch.setattr(bf16_matmul, "has_dot_of_pairs", lambda pairs=pairs: pairs)
        assert f"bf16 training {named}" in " ".join(tervit("doctor")[1].split())
    monkeypatch.setattr(bf16_matmul, "bf16_tile", lambda: bf16_matmul.AMX)
    assert "bf16 training Intel AMX" in " ".join(tervit("doctor")[1].split())


def test_an_unwritable_data_folder_is_reported(tervit, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("TERVIT_DATA", str(blocked))
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    out = " ".join(tervit("doctor")[1].split())  # advice may take several lines
    assert "point TERVIT_DATA at a folder you can write" in out
    assert "kernels are compiled anew" in out


def test_findings_are_one_line_each():
    for finding in [*doctor._software(), *doctor._blas(), *doctor._machine()]:
        assert "\n" not in finding.value + finding.advice
