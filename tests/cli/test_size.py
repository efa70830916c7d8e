import pytest


def test_groups_are_listed_with_their_total(tervit):
    code, out, _ = tervit("size", "deit_shapes")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "deit_shapes, plan ternary, in kB"
    assert lines[1].split() == ["parameters", "paper", "as", "stored", "FTerViT", "float32"]
    assert lines[-1].split()[:2] == ["all", "214,090"]
    assert any(line.startswith("block matrices") for line in lines)


def test_layers_lists_every_tensor(tervit):
    out = tervit("size", "deit_shapes", "--layers")[1]
    assert max(map(len, out.splitlines())) <= 80
    assert "blocks.3.mlp.fc2.weight" in out


def test_static_plans_need_no_calibration(tervit, tmp_path):
    """Sizes do not depend on scales; a plan file has none."""
    plan = tmp_path / "plan.toml"
    asked = "size", "deit_shapes", "--plan", "int4-static", "--write-plan", plan, "--layers"
    code, out, _ = tervit(*asked)
    assert code == 0
    (row,) = [line.split() for line in out.splitlines() if line.startswith("blocks.0.mlp.fc1  ")]
    assert row[-4:-1] == ["4", "/", "8"]
    assert "scale" not in plan.read_text()


@pytest.mark.parametrize(("plan", "kept"), [("int8-int4-lsq", True), ("int4-static", False)])
def test_activations_are_those_of_the_plan(tervit, plan, kept):
    """A learned scale needs the derivative of every input, a static one its mask alone."""
    code, out, _ = tervit("size", "deit_shapes", "--plan", plan, "--activations", "--batch", "2")
    assert code == 0
    assert ("blocks.*.mlp.fc2.act.stretch" in out) is kept


def test_a_plan_without_a_packed_form_says_so(tervit):
    """Else its size would be read as that of a file, which `tervit export` refuses to write."""
    last = tervit("size", "deit_shapes", "--plan", "ttq")[1].splitlines()[-1]
    assert last.startswith(
        'no packed file can be written, so "as stored" is a calculation: blocks.0'
    )
    for plan in ("ternary", "float", "int4-static"):
        assert "no packed file" not in tervit("size", "deit_shapes", "--plan", plan)[1]


def test_rows_of_small_tensors_are_in_kilobytes(tervit):
    """In MB the rows of biases would all read 0.000."""
    large = tervit("size", "deit_small_patch16_224")[1].splitlines()
    assert large[0] == "deit_small_patch16_224, plan ternary, in MB"
    assert large[-1].split()[-1] == "88.203"
    rows = tervit("size", "deit_small_patch16_224", "--layers")[1].splitlines()
    assert rows[0] == "deit_small_patch16_224, plan ternary, in kB"
    (norm,) = [row.split() for row in rows if row.startswith("blocks.0.norm1.bias ")]
    assert norm[1:] == ["384", "0.38", "1.54", "0.10", "1.54"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("vgg",), "no such file, run folder or model"),
        (("deit_shapes", "--plan", "x"), "x"),
        (("deit_shapes", "--batch", 8), "--batch is for --activations"),
        (("deit_shapes", "--layers", "--batch", 32), "--batch is for --activations"),
        (("deit_shapes", "--activations", "--batch", 0), "--batch is 0; expected at least 1"),
    ],
)
def test_wrong_requests_are_refused(tervit, args, words):
    code, _, error = tervit("size", *args)
    assert (code, len(error.splitlines())) == (2, 1)
    assert words in error
