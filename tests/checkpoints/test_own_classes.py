"""Models with classes of a user: what files hold of them, and what is refused."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.train import Data, Stage, run
from tests.train.conftest import colours

CONFIG = tv.DeiTConfig(8, 4, 3, 16, 2, 2)


class DeiT(tv.DeiT):
    """It has the name of the class that a file names, and computes something else."""

    def forward(self, images, **options):
        logits, cache = super().forward(images, **options)
        return -logits, cache


class MyMLP(tv.nn.MLP):
    pass


def own_models():
    derived = DeiT(CONFIG, np.random.default_rng(0))
    changed = tv.DeiT(CONFIG, np.random.default_rng(0))
    changed.blocks[1].mlp.__class__ = MyMLP
    return [(derived, "DeiT"), (changed, "MyMLP")]


@pytest.mark.parametrize(("model", "name"), own_models(), ids=["model", "module"])
class TestOwnClasses:
    def test_a_checkpoint_gives_the_weights_and_not_another_model(self, tmp_path, model, name):
        """`load_model` returned the class of the package under the same name."""
        tv.save_checkpoint(model, tmp_path / "x")
        with pytest.raises(ValueError, match=rf"the class [\w.]+\.{name}, which no file can desc"):
            tv.load_model(tmp_path / "x")
        weights = tv.load_checkpoint(tmp_path / "x")
        model.load_state_dict(weights)
        np.testing.assert_array_equal(weights["head.weight"], model.head.weight.data)

    def test_a_packed_file_is_not_written(self, tmp_path, model, name):
        with pytest.raises(ValueError, match=rf"export: the model has the class [\w.]+\.{name}"):
            tv.export(tv.quantize(model, "ternary"), tmp_path / "x")
        assert not any(tmp_path.iterdir())

    def test_it_trains_but_without_a_teacher(self, tmp_path, model, name):
        data = Data(colours(64, "train", 0), None, colours(24, "test", 2))
        stages = [Stage("float", "float", 1), Stage("ternary", "ternary", 1, teacher="float")]
        with pytest.raises(ValueError, match=rf"stage ternary: its teacher .*{name}"):
            run(model, stages, data, tmp_path / "a", quiet=True)
        run(model, stages[:1], data, tmp_path / "b", quiet=True)


def test_a_model_with_fewer_blocks_than_configured_is_not_packed(tmp_path):
    model = tv.quantize(tv.create_model("deit_shapes"), "ternary")
    del model.blocks[-1]
    with pytest.raises(ValueError, match=r"the model has \d+ parameters, and one of its config"):
        tv.export(model, tmp_path / "x")


def with_another(model, path, value):
    """Set an attribute of a module by its dotted name."""
    module, _, key = path.rpartition(".")
    setattr(dict(model.named_modules())[module], key, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("blocks.1.norm2.eps", 0.1),
        ("blocks.0.mlp.gelu_form", "tanh"),
        ("blocks.0.attn.products.heads", 4),
    ],
)
def test_a_setting_that_a_user_has_changed_is_not_lost(tmp_path, path, value):
    """`load_model` and `load_packed` returned a model with that of the configuration."""
    model = tv.DeiT(CONFIG, np.random.default_rng(0))
    with_another(model, path, value)
    tv.save_checkpoint(model, tmp_path / "x")
    with pytest.raises(ValueError, match=rf"holds a model with {path} = .*, which no file can"):
        tv.load_model(tmp_path / "x")
    model.load_state_dict(tv.load_checkpoint(tmp_path / "x"))
    with pytest.raises(ValueError, match=f"export: the model has {path} = "):
        tv.export(tv.quantize(model, "ternary"), tmp_path / "y")


def test_drop_rates_may_change_while_training(tmp_path):
    model = tv.DeiT(CONFIG, np.random.default_rng(0))
    with_another(model, "blocks.1.drop_rate", 0.3)
    tv.save_checkpoint(model, tmp_path / "x")
    assert isinstance(tv.load_model(tmp_path / "x")[0], tv.DeiT)
