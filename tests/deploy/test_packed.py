"""A model is written to a packed file and loaded again; damaged files are refused."""

import json
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import backends
from tervit_np.analysis.sizes import sizes
from tervit_np.checkpoints.formats.safetensors import read_safetensors
from tervit_np.deploy import is_packed, stored_plan
from tervit_np.deploy.blocks import PackedBlocks
from tervit_np.deploy.layers import PackedLinear
from tervit_np.deploy.onnx_file import export_onnx
from tervit_np.deploy.writing import storage_kind
from tervit_np.kernels import GroupedWeights
from tervit_np.kernels.int8_weights import unpack_int8
from tervit_np.nn import Linear
from tervit_np.quant import (
    IDENTITY,
    LSQ,
    TTQ,
    Blend,
    DoReFa,
    Hadamard,
    HadamardAct,
    Plan,
    QuestAct,
    StaticAct,
    Ternary,
    UniformAct,
    UniformWeight,
)
from tervit_np.quant.plan import ENCODER
from tests.checks import BACKENDS
from tests.golden.golden import SWIN_CASES
from tests.kernels.int8_reference import with_int8_attention
from tests.rounding import (
    MARGIN,
    assert_same,
    assert_same_layers,
    clear_images,
    constant_margin,
    generator,
)

ROOT = Path(__file__).parents[2]
DEIT = tv.DeiTConfig(16, 4, 5, 20, 2, 2, distilled=True)
MEAN = tv.DeiTConfig(16, 8, 5, 24, 2, 3, pool="mean", stem="conv", gelu="tanh")
SWIN, SHIFTED = SWIN_CASES["four stages"], SWIN_CASES["window 4"]
STEM = replace(SWIN_CASES["window 2"], image_size=16, patch_size=4, stem="conv3")
CASES = pytest.mark.parametrize(
    "config", [DEIT, MEAN, SWIN, SHIFTED], ids=["distilled", "conv", "swin", "shifted windows"]
)


def model_of(config, plan="ternary"):
    """Draw a model until the values that all images share keep the margin (tests/rounding.py)."""
    rng, images = generator(0), images_of(config)
    while True:
        model = tv.models.build(config, rng)
        for _, param in model.named_params():
            param.data += rng.normal(0, 0.1, param.shape)
        tv.quantize(model, plan)
        if isinstance(plan, str) and plan.endswith("-static"):
            tv.calibrate(model, images, "percentile", 97)
        if constant_margin(with_int8_attention(model), images) > MARGIN:
            return model


def images_of(config, count=3):
    size = config.image_size
    return generator(2).normal(size=(count, 3, size, size)).astype(np.float32)


def clear_images_of(model, count=3):
    """Images of which no value is near a rounding boundary of this model (tests/rounding.py)."""
    size = model.config.image_size
    return clear_images([model], count, (3, size, size), seed=2)


@pytest.mark.rounding
@CASES
@pytest.mark.parametrize(
    "plan",
    [
        "ternary",
        "int8",
        "int4",
        "int3",
        "quest",
        "dorefa",
        "float",
        "ternary-static",
        "int4-static",
    ],
)
def test_a_loaded_model_predicts_what_the_exported_one_does(tmp_path, config, plan):
    if plan == "dorefa":  # codes of three bits for two bits of information
        plan = Plan([(ENCODER, DoReFa(2), UniformAct(8))])
    model = model_of(config, plan)
    images = clear_images_of(model)
    tv.export(model, tmp_path / "x", extra={"classes": list("abcde")})
    packed = tv.load_packed(tmp_path / "x")
    assert packed.extra == {"classes": list("abcde")}
    for backend in BACKENDS:
        with tv.backend(backend):
            assert_same(packed.predict(images), model.predict(images))
            assert_same_layers(packed.model, model, images)


GROUPS = Plan(
    [
        (ENCODER, Ternary("group4"), UniformAct(8)),
        (r"patch_embed\..*", UniformWeight(8, "group3"), UniformAct(8)),  # stem "conv": (C, k, k)
        (r"head.*", UniformWeight(4, "group4"), UniformAct(8)),
    ]
)


@pytest.mark.rounding
@pytest.mark.parametrize("config", [DEIT, MEAN], ids=["distilled", "conv"])
def test_groups_of_inputs_are_packed(tmp_path, config):
    model = model_of(config, GROUPS)
    images = clear_images_of(model)
    tv.export(model, tmp_path / "x")
    packed = tv.load_packed(tmp_path / "x")
    assert isinstance(packed.model.blocks[1].mlp.fc2.packed, GroupedWeights)
    assert_same(packed.predict(images), model.predict(images))
    assert_same_layers(packed.model, model, images)
    bytes_stored = sum(array.nbytes for array in read_safetensors(tmp_path / "x")[0].values())
    assert bytes_stored == sizes(model).stored
    rewritten(tmp_path / "x", _swap("blocks.0.attn.qkv.scale", lambda a: a[:, :-1]))
    with pytest.raises(ValueError, match=r"qkv\.scale is .*, expected floats \("):
        tv.load_packed(tmp_path / "x")


@pytest.mark.rounding
def test_a_swin_after_a_stem_is_packed(tmp_path, monkeypatch):
    monkeypatch.setattr("tervit_np.nn.Conv3Stem.WIDTHS", (3, 5))  # fewer roundings to be clear of
    model = model_of(STEM)
    images = clear_images_of(model)
    tv.export(model, tmp_path / "x")
    packed = tv.load_packed(tmp_path / "x")
    assert_same(packed.predict(images), model.predict(images))
    assert_same_layers(packed.model, model, images)


@pytest.mark.rounding
@CASES
def test_blocks_with_float_layers_run_layer_by_layer(tmp_path, config):
    plan = Plan([(r".*(qkv|proj|fc1)", Ternary(), UniformAct(8))])
    model = model_of(config, plan)
    images = clear_images_of(model)
    tv.export(model, tmp_path / "x")
    packed = tv.load_packed(tmp_path / "x")
    assert not any(
        isinstance(getattr(m, "blocks", None), PackedBlocks)
        for _, m in packed.model.named_modules()
    )
    assert_same(packed.predict(images), model.predict(images))
    assert_same_layers(packed.model, model, images)


@CASES
def test_float16_changes_only_what_is_not_quantized(tmp_path, config):
    """Its file is that of float32, with floats rounded to float16."""
    model, images = model_of(config), images_of(config)
    for precision in ("float32", "float16"):
        tv.export(model, tmp_path / precision, precision=precision)
    wide, _ = read_safetensors(tmp_path / "float32")
    half, _ = read_safetensors(tmp_path / "float16")
    for name, array in half.items():
        expected = wide[name].astype(np.float16) if wide[name].dtype == np.float32 else wide[name]
        assert array.dtype == expected.dtype, name
        np.testing.assert_array_equal(array, expected, err_msg=name)
    widened = {name: half[name].astype(array.dtype) for name, array in wide.items()}
    rewritten(tmp_path / "float32", lambda arrays, metadata: arrays.update(widened))
    np.testing.assert_array_equal(
        tv.load_packed(tmp_path / "float16").predict(images),
        tv.load_packed(tmp_path / "float32").predict(images),
    )


def test_the_file_has_the_size_that_sizes_gives(tmp_path):
    """For DeiT-Tiny, header and names take less than 3 %."""
    model = tv.quantize(tv.create_model("deit_tiny_patch16_224"), "ternary")
    tv.export(model, tmp_path / "x")
    stored = sizes(model).stored
    assert stored <= (tmp_path / "x").stat().st_size < 1.03 * stored
    arrays, _ = read_safetensors(tmp_path / "x")
    bits = [
        8 * arrays[f"{name}.codes"].size / layer.weight.size
        for name, layer in model.quantizable()
        if isinstance(layer.weight_quant, Ternary)
    ]
    assert len(bits) == 48
    assert max(bits) < 1.601


def test_codes_of_fewer_bits_make_files_smaller(tmp_path):
    """The codes of a layer of 4 bits take half of the bytes of 8 bits, and exactly their bits."""
    sizes_of = {}
    for bits in (8, 4, 3, 2):
        model = model_of(DEIT, f"int{bits}")
        tv.export(model, tmp_path / "x")
        arrays, _ = read_safetensors(tmp_path / "x")
        codes = arrays["blocks.1.mlp.fc2.codes"]
        assert codes.nbytes == -(-model.blocks[1].mlp.fc2.weight.size * bits // 8)
        sizes_of[bits] = codes.nbytes
    assert sizes_of[8] == 2 * sizes_of[4] == 4 * sizes_of[2]


@pytest.mark.parametrize("plan", ["int2", "int3", "int5", "int6", "lsq7", "lsqplus4"])
def test_codes_in_a_file_are_those_of_the_model(tmp_path, plan):
    model = model_of(DEIT, plan)
    tv.export(model, tmp_path / "x")
    packed = tv.load_packed(tmp_path / "x").model
    for one, two in zip(packed.blocks, model.blocks, strict=True):
        weights, layer = one.mlp.fc1.packed, two.mlp.fc1
        codes, scale, _ = layer.weight_quant.encode(layer.weight.data)
        np.testing.assert_array_equal(unpack_int8(weights), codes)
        np.testing.assert_array_equal(weights.scale[: len(scale)], scale)


@pytest.mark.parametrize("bits", [2, 4, 7])
def test_older_files_with_a_byte_for_each_code_are_read(tmp_path, bits):
    model, images = model_of(DEIT, f"int{bits}"), images_of(DEIT)
    tv.export(model, tmp_path / "x")
    expected = tv.load_packed(tmp_path / "x").predict(images)

    def as_before(arrays, _):
        for name, layer in model.quantizable():
            if layer.weight is not None:
                arrays[f"{name}.codes"] = layer.weight_quant.encode(layer.weight.data).codes

    rewritten(tmp_path / "x", as_before)
    assert read_safetensors(tmp_path / "x")[0]["blocks.0.attn.qkv.codes"].dtype == np.int8
    np.testing.assert_array_equal(tv.load_packed(tmp_path / "x").predict(images), expected)

    def too_large(arrays, _):
        arrays["blocks.0.attn.qkv.codes"][0, 3] = 2 ** (bits - 1)

    rewritten(tmp_path / "x", too_large)
    with pytest.raises(ValueError, match=f"found the code {2 ** (bits - 1)}, but codes of {bits}"):
        tv.load_packed(tmp_path / "x")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda a: a[:-1], r"qkv\.codes: uint8 \(599,\) is not 1200 codes of 4 bits"),
        (lambda a: np.append(a, a[:1]), "is not 1200 codes of 4 bits"),
        (lambda a: a.astype(np.uint16), r"qkv\.codes: uint16 \(600,\), expected int8 \(60, 20\)"),
        (lambda a: a.view(np.int8), r"qkv\.codes: int8 \(600,\), expected int8 \(60, 20\)"),
        (lambda a: a.reshape(60, 10), r"uint8 \(60, 10\) is not 1200 codes of 4 bits"),
        (lambda a: np.append(a[:-1], np.uint8(0x80)), "found the code -8, but codes of 4 bits go"),
    ],
)
def test_damaged_codes_of_four_bits_are_refused(tmp_path, value, words):
    tv.export(model_of(DEIT, "int4"), tmp_path / "x")
    rewritten(tmp_path / "x", _swap("blocks.0.attn.qkv.codes", value))
    with pytest.raises(ValueError, match=words):
        tv.load_packed(tmp_path / "x")


def test_ternary_layers_never_become_floats(tmp_path):
    tv.export(model_of(DEIT), tmp_path / "x")
    model = tv.load_packed(tmp_path / "x").model
    assert isinstance(model.blocks[1].mlp.fc2, PackedLinear)
    names = [name for name, _ in model.named_params()]
    assert not any(name.startswith("blocks.") and "weight" in name and "norm" not in name
                   for name in names)  # fmt: skip


def test_export_refuses_quantizers_that_the_format_cannot_store(tmp_path):
    model = model_of(DEIT)
    plan = Plan([(r"blocks\..*", Ternary(), UniformAct(8, "minmax"))])
    with pytest.raises(ValueError, match="blocks.0.attn.qkv has weights .* symmetric 8-bit inputs"):
        tv.export(tv.quantize(model, plan), tmp_path / "x")
    plan = Plan([(r"blocks\..*", Ternary(), StaticAct(4, 0.1))])
    with pytest.raises(ValueError, match=r"qkv has .* inputs int4 static \(0.1\); a packed"):
        tv.export(tv.quantize(model, plan), tmp_path / "x")
    with pytest.raises(ValueError, match="precision is 'int4'"):
        tv.export(tv.quantize(model, "int4"), tmp_path / "x", precision="int4")


RAMP, ROTATED = Blend(Ternary(), 0.5), Hadamard("channel", 4)


@pytest.mark.parametrize(
    ("weights", "inputs", "words"),
    [
        (TTQ(), UniformAct(), "no packed form: they have two scales for each output, one for each"),
        (ROTATED, UniformAct(), "no packed form: their codes are of H w, for rotated inputs"),
        (RAMP, UniformAct(), "no packed form: they are part floats, part codes until the ramp"),
        (StaticAct(4, 0.1), UniformAct(), "no packed form: their rule has an empty `packing`, as"),
        (Ternary(), HadamardAct(4), "a packed layer of three values needs symmetric 8-bit inputs"),
        (LSQ(4), RAMP, "a packed file has inputs of one of the rules for inputs, without a ramp"),
        (IDENTITY, Ternary(), "a packed file has inputs of one of the rules for inputs"),
    ],
    ids=repr,
)
def test_each_refused_rule_has_its_own_reason(weights, inputs, words):
    layer = Linear(8, 8, weight_quant=weights, act_quant=inputs)
    with pytest.raises(ValueError, match=re.escape("export: fc has weights") + f".*{words}"):
        storage_kind("fc", layer)


@pytest.mark.parametrize(
    ("weights", "inputs"),
    [
        (UniformWeight(4), UniformAct(8, "minmax")),
        (LSQ(4, start="deviation"), QuestAct(4)),
        (IDENTITY, HadamardAct(4, 4)),
    ],
    ids=repr,
)
def test_layers_with_other_inputs_run_as_floats(tmp_path, weights, inputs):
    model = tv.quantize(model_of(DEIT), Plan([(r"blocks\..*(qkv|fc1)", weights, inputs)]))
    tv.export(model, tmp_path / "x")
    packed, images = tv.load_packed(tmp_path / "x"), images_of(DEIT)
    np.testing.assert_array_equal(packed.predict(images), model.predict(images))


@pytest.mark.parametrize("plan", ["ternary-static", "int8-static"])
def test_export_refuses_static_inputs_without_scales(tmp_path, plan):
    model = tv.quantize(model_of(DEIT), plan)
    with pytest.raises(ValueError, match="export: patch_embed.proj: a static .* has no scale yet"):
        tv.export(model, tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("weights", [UniformWeight(4), IDENTITY])
def test_static_inputs_of_other_bits_run_as_floats(tmp_path, weights):
    plan = Plan([(r"blocks\..*(qkv|fc1)", weights, StaticAct(4, 0.3))])
    model, images = tv.quantize(model_of(DEIT), plan), images_of(DEIT)
    tv.export(model, tmp_path / "x")
    packed = tv.load_packed(tmp_path / "x")
    np.testing.assert_array_equal(packed.predict(images), model.predict(images))


@pytest.mark.parametrize("factor", [1e-5, 1e-7, 1e-9])
@pytest.mark.parametrize("plan", ["ternary", "int8"])
def test_export_refuses_scales_too_small_for_float16(tmp_path, plan, factor):
    model = tv.create_model("deit_shapes")
    for name, param in model.named_params():
        if name == "blocks.1.mlp.fc1.weight":
            param.data[3] *= factor
    tv.quantize(model, plan)
    with pytest.raises(ValueError, match=r"fc1\.scale has values too small for float16"):
        tv.export(model, tmp_path / "x", precision="float16")
    assert not (tmp_path / "x").exists()
    tv.export(model, tmp_path / "x")


def test_export_refuses_values_too_large_for_float16(tmp_path):
    model = model_of(DEIT)
    model.norm.bias.data[0] = 1e6
    with pytest.raises(ValueError, match=r"norm\.bias has values too large for float16"):
        tv.export(model, tmp_path / "x", precision="float16")
    assert not (tmp_path / "x").exists()


def test_export_refuses_values_that_are_not_finite(tmp_path):
    model = model_of(DEIT)
    model.norm.bias.data[0] = np.inf
    with pytest.raises(ValueError, match=r"norm\.bias holds NaN or infinite values"):
        tv.export(model, tmp_path / "x")
    for extra in ({"a": np.float32(1)}, {"a": {1}}, {"a": float("nan")}):
        with pytest.raises(ValueError, match="export: extra cannot be written as JSON"):
            tv.export(model_of(DEIT), tmp_path / "x", extra=extra)
    assert not (tmp_path / "x").exists()


@CASES
def test_a_packed_model_cannot_be_written_or_quantized_again(tmp_path, config):
    """It has no latent weights."""
    tv.export(model_of(config), tmp_path / "x")
    packed = tv.load_packed(tmp_path / "x")
    attempts = (
        lambda: tv.export(packed.model, tmp_path / "y"),
        lambda: tv.save_checkpoint(packed.model, tmp_path / "y"),
        lambda: export_onnx(packed.model, tmp_path / "y"),
        lambda: tv.quantize(packed.model, "float"),
    )
    for attempt in attempts:
        with pytest.raises(ValueError, match="the model is packed and has no latent weights"):
            attempt()
    assert not (tmp_path / "y").exists()


def test_a_wrong_environment_variable_is_not_reported_as_a_damaged_file(tmp_path, monkeypatch):
    tv.export(model_of(DEIT), tmp_path / "x")
    monkeypatch.setattr(backends, "_default", backends._default.__wrapped__)
    monkeypatch.setenv("TERVIT_BACKEND", "fortran")
    with pytest.raises(ValueError, match="^TERVIT_BACKEND is 'fortran'; expected one of numba"):
        tv.load_packed(tmp_path / "x")


HUGE = np.float64(1e300)  # in a file of float64 numbers


def rewritten(path, change):
    """Change the stored arrays and write them with a true checksum."""
    from tervit_np.deploy.writing import checksum

    arrays, metadata = read_safetensors(path)
    change(arrays, metadata)
    tv.save_safetensors(arrays, path, metadata | {"sha256": checksum(arrays, metadata)})


def _swap(name, value):
    def change(arrays, metadata):
        arrays[name] = value(arrays[name])

    return change


def _act(before, after):
    """Give the plan a static quantizer, and change it in the JSON."""

    def change(arrays, metadata):
        static = '{"rule":"StaticAct","bits":8,"scale":0.1}'
        token = '{"rule":"UniformAct","bits":8,"kind":"symmetric","per":"token"}'
        assert token in metadata["plan"]
        metadata["plan"] = metadata["plan"].replace(token, static.replace(before, after))

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_swap("blocks.0.attn.qkv.codes", lambda a: a[:-1]), "is not 1200 ternary codes"),
        (_swap("blocks.0.attn.qkv.codes", lambda a: np.ones_like(a)), "byte 1 encodes no five"),
        (_swap("blocks.0.attn.qkv.scale", lambda a: a[:-1]), "scale is float32"),
        (_swap("blocks.0.attn.qkv.scale", lambda a: a * np.nan), "NaN"),
        (_swap("blocks.0.attn.qkv.scale", lambda a: a * HUGE), "qkv.scale .* no finite float32"),
        (_swap("norm.bias", lambda a: a + HUGE), "norm.bias .* no finite float32"),
        (
            _swap("blocks.0.attn.qkv.scale", lambda a: a[:, None]),
            r"\(60, 1\), expected floats \(60,\)",
        ),
        (_swap("head.codes", lambda a: a.astype(np.float32)), "head.codes: float32"),
        (_swap("head.codes", lambda a: a.astype(np.uint8)), "head.codes: uint8"),
        (
            _swap("head.codes", lambda a: np.full_like(a, -128)),
            "found the code -128, but codes of 8 bits",
        ),
        (_swap("norm.weight", lambda a: a[None]), "norm.weight is float32"),
        (lambda arrays, meta: arrays.pop("pos_embed"), "pos_embed is missing"),
        (lambda arrays, meta: arrays.update(extra=np.zeros(2)), "unexpected extra"),
        (lambda arrays, meta: meta.update(config="{}"), "do not fit"),
        (lambda arrays, meta: meta.update(plan="[1]"), "a plan is a list"),
        (lambda arrays, meta: meta.update(plan="[]"), "patch_embed.proj.weight is missing"),
        (_act('"scale":0.1', '"scale":null'), "has no scale yet"),
        (_act('"scale":0.1', '"scale":-1'), "scale is -1; expected a number above 0"),
        (_act('"scale":0.1', '"scale":NaN'), "scale is nan; expected a number above 0"),
        (_act('"scale":0.1', '"scale":[]'), r"scale is \[\]; expected a number above 0"),
        (_act('"bits":8,"scale":0.1', '"bits":4,"scale":0.1'), "three values needs"),
        (lambda arrays, meta: meta.update(model='"os"'), "os"),
        (lambda arrays, meta: meta.pop("extra"), "extra is missing"),
        (lambda arrays, meta: meta.update(config="{"), "do not fit"),
    ],
)
def test_files_with_contradictions_are_refused(tmp_path, change, words):
    tv.export(model_of(DEIT), tmp_path / "x")
    rewritten(tmp_path / "x", change)
    with pytest.raises(ValueError, match=words):
        tv.load_packed(tmp_path / "x")


BOMBS = {
    "depth": {"depth": 300_000},
    "more blocks": {"depth": 1000},
    "width": {"dim": 60_000},
    "image size": {"image_size": 16_384},
    "a huge image": {"image_size": 800_000},
    "classes": {"num_classes": 2**20, "dim": 2**10},
    "hidden units": {"mlp_ratio": 256, "dim": 2**12},
    "an infinite ratio": {"mlp_ratio": 1e999},
    "heads of text": {"heads": "2"},
    "a list": {"dim": [20]},
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_description_larger_than_its_file_is_refused(tmp_path, kind):
    """With a true checksum; nothing is allocated for it."""
    tv.export(model_of(DEIT), tmp_path / "x")

    def change(_, metadata):
        metadata["config"] = json.dumps(json.loads(metadata["config"]) | BOMBS[kind])

    rewritten(tmp_path / "x", change)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="x: its metadata and its arrays do not fit together"):
            tv.load_packed(tmp_path / "x")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "["},
        {"plan": "[" * 100_000},
        {"plan": '[["(", {"rule": "Ternary"}, {"rule": "UniformAct"}]]'},
        {"plan": "[[1, 2, 3]]"},
        {"config": "[" * 100_000},
        {"dtype": "[1]"},
        {"model": "{}"},
    ],
)
def test_metadata_that_is_not_a_description_is_refused(tmp_path, change):
    tv.export(model_of(DEIT), tmp_path / "x")
    rewritten(tmp_path / "x", lambda _, metadata: metadata.update(change))
    with pytest.raises(ValueError, match="x: its metadata and its arrays do not fit together"):
        tv.load_packed(tmp_path / "x")
    if "plan" in change:
        with pytest.raises(ValueError, match="x: its plan is damaged"):
            stored_plan(tmp_path / "x")


def test_damaged_files_are_refused_or_read_as_the_same_model(tmp_path):
    tv.export(model_of(DEIT), tmp_path / "good", extra={"classes": ["a"]})
    good = (tmp_path / "good").read_bytes()
    images, rng = images_of(DEIT, 1), np.random.default_rng(0)
    expected = tv.load_packed(tmp_path / "good").predict(images)
    path, read = tmp_path / "bad", 0
    for i in range(1000):
        bad = bytearray(good)
        near = len(bad) if i % 2 else 8 + int.from_bytes(good[:8], "little")
        if i % 4 == 0:
            bad = bad[: rng.integers(len(bad))]
        else:
            for place in rng.integers(near, size=i % 4):
                bad[place] ^= 1 << rng.integers(8)
        if bad == good:
            continue
        path.write_bytes(bad)
        try:
            packed = tv.load_packed(path)
        except ValueError:
            continue
        read += 1
        np.testing.assert_array_equal(packed.predict(images), expected)
        assert packed.extra == {"classes": ["a"]}
    assert read < 5  # changes of key order or white space


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such file"):
        tv.load_packed("nowhere")
    tv.save_safetensors({"x": np.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="not a packed file of this version"):
        tv.load_packed(tmp_path / "x.safetensors")
    assert not is_packed(tmp_path / "x.safetensors")
    assert not is_packed(tmp_path)


def test_the_header_is_json(tmp_path):
    tv.export(model_of(DEIT), tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["config"])["dim"] == 20
    assert header["blocks.0.mlp.fc1.codes"]["dtype"] == "U8"
