import io
import tarfile

import numpy as np
from PIL import Image

from data_tools import Augment, load, normalise
from tervit_np.train import Recipe
from tervit_np.train.batches import Batches


def test_an_epoch_shows_every_image_once(data):
    """Without augmentation, the eight batches of an epoch are the set in another order."""
    plain = Recipe(batch_size=8, augment=Augment(0, False))
    batches = Batches(data.train, plain, seed=0)
    drawn = np.concatenate([batches.draw(0, step)[0] for step in range(8)])
    expected = normalise(data.train.images, data.train.mean, data.train.std)
    assert sorted(x.tobytes() for x in drawn) == sorted(x.tobytes() for x in expected)


def test_a_step_does_not_depend_on_the_steps_before(data, recipe):
    in_order = Batches(data.train, recipe, seed=3)
    before = [in_order.draw(1, step) for step in range(20)]
    for step in (13, 2, 19):
        images, targets, rng = Batches(data.train, recipe, seed=3).draw(1, step)
        np.testing.assert_array_equal(images, before[step][0])
        np.testing.assert_array_equal(targets, before[step][1])
        assert rng.random() == before[step][2].random()


def test_stages_and_seeds_draw_differently(data, recipe):
    seen = [
        Batches(data.train, recipe, seed).draw(stage, 0)[0] for seed in (0, 1) for stage in (0, 1)
    ]
    assert len({x.tobytes() for x in seen}) == 4


def test_alternate_flip_shows_both_views_in_two_epochs(data):
    """Each image once as it is and once mirrored, half of them mirrored first."""
    augment = Augment(0, True, alternate_flip=True)
    batches = Batches(data.train, Recipe(batch_size=8, augment=augment), seed=0)
    pixels = normalise(data.train.images, data.train.mean, data.train.std)
    place = {view.tobytes(): i for i, x in enumerate(pixels) for view in (x, x[:, :, ::-1])}
    shown = np.zeros((2, len(pixels)), bool)  # whether an epoch showed the image mirrored
    for epoch in range(2):
        for step in range(8 * epoch, 8 * epoch + 8):
            for x in batches.draw(0, step)[0]:
                i = place[x.tobytes()]
                shown[epoch, i] = not np.array_equal(x, pixels[i])
    np.testing.assert_array_equal(shown[0], ~shown[1])
    assert 16 < shown[0].sum() < 48


def test_mixing_and_cutout_end_before_training_does(data):
    augment = Augment(0, False, cutout=4, mixup=0.4, until=0.75)
    batches = Batches(data.train, Recipe(batch_size=8, augment=augment), seed=0)
    plain = Batches(data.train, Recipe(batch_size=8, augment=Augment(0, False)), seed=0)
    mixed, last = batches.draw(0, 3, 0.74), batches.draw(0, 3, 0.75)
    assert not np.array_equal(mixed[0], last[0])
    np.testing.assert_array_equal(last[0], plain.draw(0, 3)[0])
    np.testing.assert_array_equal(last[1], plain.draw(0, 3)[1])


def test_a_resumed_epoch_continues_in_tar_shards(tmp_path):
    """Pictures of a step that begins in the middle of an epoch are those of an epoch in order."""
    with tarfile.open(tmp_path / "train-0.tar", "w") as archive:
        for number in range(12):
            picture = io.BytesIO()
            colour = (20 * number, 100, 200)
            Image.new("RGB", (16, 16), colour).save(picture, "png")
            for ending, content in (("png", picture.getvalue()), ("cls", b"%d" % (number % 2))):
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    train = load(f"shards:{tmp_path},size=8", "train", tmp_path)
    recipe = Recipe(batch_size=4)
    in_order, resumed = (Batches(train, recipe, seed=3, workers=1) for _ in range(2))
    try:
        before = [in_order.draw(0, step) for step in range(6)]
        for step in (4, 5):
            for one, other in zip(resumed.draw(0, step)[:2], before[step][:2], strict=True):
                np.testing.assert_array_equal(one, other)
    finally:
        in_order.close()
        resumed.close()
    assert len({x.tobytes() for images, *_ in before[:3] for x in images}) == 12
