"""The same weights in the forms of file in which others publish and save them."""

import argparse

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.reading import weights_of
from tests.checkpoints.forms import (
    MODELS,
    headless,
    hugging_face,
    inner_wrapper,
    prefixed,
    state_of,
    timm_swin,
)
from tests.checkpoints.torch_writer import write_torch

pytestmark = pytest.mark.usefixtures("small_models")
DDP = {"epoch": 3, "optimizer": {"state": {0: {"step": 1}}, "param_groups": []}}
READ = {  # model, state dict or what is saved with it
    "as it is": ("deit", lambda s: s),
    "DistributedDataParallel": ("deit", lambda s: prefixed("module.", s)),
    "torch.compile": ("distilled", lambda s: prefixed("_orig_mod.", s)),
    "both": ("swin", lambda s: prefixed("module._orig_mod.", s)),
    "both, the other way": ("deit", lambda s: prefixed("_orig_mod.module.", s)),
    "FSDP": ("deit", lambda s: inner_wrapper(s, "_fsdp_wrapped_module")),
    "checkpointed blocks": ("deit", lambda s: inner_wrapper(s, "_checkpoint_wrapped_module")),
    "compiled blocks": ("distilled", lambda s: inner_wrapper(s, "_orig_mod")),
    "Lightning": ("deit", lambda s: {"state_dict": prefixed("model.", s), "epoch": 1}),
    "Lightning, net": ("swin", lambda s: {"state_dict": prefixed("net.", s), "callbacks": {}}),
    "Lightning with a loss": (
        "deit",
        lambda s: {"state_dict": prefixed("model.", s) | {"criterion.weight": np.ones(5, "f4")}},
    ),
    "a checkpoint of the authors": ("deit", lambda s: {"model": s, **DDP}),
    "a checkpoint of timm": ("deit", lambda s: {"state_dict": s, "arch": "vit", "version": 2}),
    "an average alone": ("distilled", lambda s: {"model_ema": s}),
    "an average of timm": ("deit", lambda s: {"state_dict_ema": prefixed("module.", s)}),
    "model and its average": ("deit", lambda s: {"model": s, "model_ema": state_of("deit", 9)}),
    "DINO": (
        "deit",
        lambda s: {
            "student": prefixed("module.backbone.", state_of("deit", 9)),
            "teacher": prefixed("backbone.", s),
        },
    ),
    "student alone": ("deit", lambda s: {"student": prefixed("module.backbone.", s)}),
    "teacher alone": ("swin", lambda s: {"teacher": s}),
    "MoCo": (
        "deit",
        lambda s: {
            "state_dict": prefixed("module.base_encoder.", s)
            | prefixed("module.momentum_encoder.", state_of("deit", 9))
        },
    ),
    "I-JEPA": (
        "deit",
        lambda s: {
            "target_encoder": prefixed("module.", state_of("deit", 9)),
            "encoder": prefixed("module.", s),
        },
    ),
    "a backbone with a head next to it": (
        "deit",
        lambda s: prefixed("backbone.", headless(s))
        | {f"head.{k}": s[f"head.{k}"] for k in ("weight", "bias")},
    ),
    "a backbone with a classifier": (
        "swin",
        lambda s: prefixed("model.encoder.", headless(s))
        | {f"model.classifier.{k}": s[f"head.{k}"] for k in ("weight", "bias")},
    ),
    "Hugging Face, vit": ("deit", lambda s: hugging_face(s, "vit.")),
    "Hugging Face, deit": ("distilled", lambda s: hugging_face(s, "deit.", "cls_classifier")),
    "Hugging Face, swin": ("swin", lambda s: hugging_face(s, "swin.")),
    "Hugging Face, bare vit": ("deit", lambda s: hugging_face(s)),
    "Hugging Face, bare deit": ("distilled", lambda s: hugging_face(s, "", "cls_classifier")),
    "Hugging Face, bare swin": ("swin", lambda s: hugging_face(s)),
    "Hugging Face, with pooler and mask": (
        "deit",
        lambda s: hugging_face(s, "vit.")
        | {"vit.pooler.dense.weight": np.ones((12, 12), "f4"),
           "vit.embeddings.mask_token": np.ones((1, 1, 12), "f4")},
    ),  # fmt: skip
    "Hugging Face under DDP": ("deit", lambda s: prefixed("module.", hugging_face(s, "vit."))),
    "timm's Swin": ("swin", timm_swin),
    "timm's Swin under Lightning": (
        "swin",
        lambda s: {"state_dict": prefixed("model.", timm_swin(s))},
    ),
    "MAE with its decoder": (
        "deit",
        lambda s: s | {"mask_token": np.ones((1, 1, 8), "f4"),
                       "decoder_pos_embed": np.ones((1, 17, 8), "f4"),
                       "decoder_blocks.0.attn.qkv.weight": np.ones((24, 8), "f4")},
    ),  # fmt: skip
}  # fmt: skip


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("container", ["zip", "older", "memory"])
def test_forms_of_others_are_read(tmp_path, form, container):
    name, save = READ[form]
    expected = state_of(name)
    source = save(expected)
    if container != "memory":
        source = write_torch(source, tmp_path / "weights.pth", container == "older")
    model, _ = tv.pretrained(source)
    assert model.config == MODELS[name]
    found = model.state_dict()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.parametrize(
    "form", [f for f, (_, save) in READ.items() if f.startswith("H") or "." in f]
)
def test_forms_of_safetensors_are_read(tmp_path, form):
    name, save = READ[form]
    tv.save_safetensors(save(state_of(name)), tmp_path / "model.safetensors")
    assert tv.pretrained(tmp_path / "model.safetensors")[0].config == MODELS[name]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("DistributedDataParallel", "read the tensors whose names begin with 'module.'"),
        ("Lightning", "'state_dict.model.'"),
        ("FSDP", "removed '_fsdp_wrapped_module' from the names"),
        ("DINO", "the file also holds models under 'student.module.backbone.'"),
        ("model and its average", "the file also holds models under 'model_ema.'"),
        ("Lightning with a loss", "left out 'state_dict.criterion.weight'"),
        ("Hugging Face, with pooler and mask", "left out what only pretraining needs: pooler."),
        ("MAE with its decoder", "mask_token, decoder_pos_embed, decoder_blocks"),
    ],
)
def test_what_was_stripped_is_said(form, words):
    name, save = READ[form]
    assert words in "; ".join(tv.pretrained(save(state_of(name)))[1])


@pytest.mark.parametrize(
    "form", ["as it is", "Hugging Face, vit", "Hugging Face, bare swin", "timm's Swin"]
)
def test_published_forms_need_no_note(form):
    name, save = READ[form]
    assert tv.pretrained(save(state_of(name)))[1] == []


@pytest.mark.parametrize("older", [False, True])
def test_training_state_is_skipped_on_request(tmp_path, older):
    value = {
        "model": state_of("deit"),
        "args": argparse.Namespace(lr=0.1),
        "scaler": {"scale": 1.0},
    }
    path = write_torch(value, tmp_path / "checkpoint.pth", older)
    with pytest.raises(ValueError, match=r"argparse\.Namespace.*lenient=True"):
        tv.pretrained(path)
    assert tv.pretrained(path, lenient=True)[0].config == MODELS["deit"]


def test_a_model_that_is_saved_whole_is_refused(tmp_path):
    path = write_torch(argparse.Namespace(weight=np.ones(3, "f4")), tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"whole model instead.*torch\.save\(model\.state_dict"):
        tv.pretrained(path, lenient=True)


def test_quantized_weights_are_refused(tmp_path):
    state = state_of("deit") | {"blocks.0.attn.qkv.weight": np.ones((36, 12), np.int8)}
    tv.save_safetensors(state, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="qkv.weight holds int8 numbers, expected floats"):
        tv.pretrained(tmp_path / "x.safetensors")


def test_names_that_repeat_many_times_take_no_long_time():
    names = {f"a{i}.patch_embed.proj.weight": np.ones((1, 1, 1, 1)) for i in range(20_000)}
    with pytest.raises(ValueError, match="several models"):
        weights_of(names | {f"b{i}.x": np.ones(1) for i in range(20_000)})
