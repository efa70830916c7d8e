import numpy as np
import pytest
from PIL import Image

from data_tools.crops import center_crop, erase_, random_resized_crop


def noise(width, height):
    rng = np.random.default_rng(width * height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def torchvision_crop(picture, size):
    """Resize(int(size / 0.875), bicubic) and CenterCrop(size), from torchvision's description."""
    resize = int(size / 0.875)
    width, height = picture.size
    if width <= height:
        width, height = resize, int(resize * height / width)
    else:
        width, height = int(resize * width / height), resize
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    top, left = int(round((height - size) / 2.0)), int(round((width - size) / 2.0))
    return np.array(picture.crop((left, top, left + size, top + size)))


@pytest.mark.parametrize("size", [32, 160, 224])
@pytest.mark.parametrize("shape", [(500, 375), (375, 500), (256, 256), (97, 301), (301, 97)])
def test_center_crop_is_the_official_crop(shape, size):
    picture = noise(*shape)
    crop = center_crop(picture, size)
    assert (crop.shape, crop.dtype) == ((size, size, 3), np.uint8)
    np.testing.assert_array_equal(crop, torchvision_crop(picture, size))


@pytest.mark.parametrize("shape", [(1, 6000), (9000, 2), (1, 1), (1, 17), (3, 400)])
def test_a_thin_picture_is_cut_before_it_is_resized(shape, monkeypatch):
    sizes = []
    resize = Image.Image.resize
    monkeypatch.setattr(
        Image.Image,
        "resize",
        lambda self, size, *args: sizes.append(size) or resize(self, size, *args),
    )
    crop = center_crop(noise(*shape), 224)
    assert crop.shape == (224, 224, 3)
    assert crop.std() > 10 or shape == (1, 1)
    assert max(map(max, sizes)) <= 16 * 256


def test_a_thin_picture_keeps_its_centre():
    pixels = np.zeros((6000, 2, 3), np.uint8)
    pixels[2998:3002] = 255
    assert center_crop(Image.fromarray(pixels), 64).min() == 255


def test_random_boxes_have_the_specified_area_and_aspect_ratio():
    """The box is drawn from 8 to 100 % of the area, 3:4 to 4:3, anywhere inside."""
    from data_tools import crops

    rng = np.random.default_rng(0)
    boxes = np.array([crops._random_box(400, 300, 0.08, rng) for _ in range(2000)])
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    area, ratio = wide * high / (400 * 300), wide / high
    assert boxes.min() >= 0
    assert (boxes[:, 2].max(), boxes[:, 3].max()) <= (400, 300)
    assert 0.078 < area.min() < 0.1
    assert area.max() > 0.9
    assert 0.73 < ratio.min() < 0.78
    assert 1.28 < ratio.max() < 1.36
    assert abs(np.log(ratio).mean()) < 0.05
    assert (boxes[:, 0].min(), boxes[:, 1].min()) == (0, 0)


def test_a_picture_too_long_for_any_box_is_cropped_in_the_centre():
    crop = random_resized_crop(noise(1000, 3), 16, 0.9, False, np.random.default_rng(0))
    assert crop.size == (16, 16)


def test_half_of_the_crops_are_mirrored():
    ramp = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))).convert("RGB")
    rng = np.random.default_rng(0)
    slopes = [
        np.diff(np.asarray(random_resized_crop(ramp, 8, 0.5, True, rng), int)[0, :, 0]).sum() > 0
        for _ in range(400)
    ]
    assert 160 < sum(slopes) < 240
    never = [random_resized_crop(ramp, 8, 0.5, False, rng) for _ in range(20)]
    assert all(np.diff(np.asarray(p, int)[0, :, 0]).sum() > 0 for p in never)


def test_erasing_fills_boxes_with_noise():
    images = np.full((400, 3, 32, 32), 9.0, np.float32)
    erase_(images, 0.25, np.random.default_rng(0))
    changed = (images != 9).all(axis=1)
    fractions = changed.mean(axis=(1, 2))
    hit = fractions > 0
    assert 70 < hit.sum() < 130
    assert 0.01 < fractions[hit].min() < fractions[hit].max() < 0.36
    values = images[np.broadcast_to(changed[:, None], images.shape)]
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02
    rows, columns = changed[hit][0].any(axis=1), changed[hit][0].any(axis=0)
    assert changed[hit][0].sum() == rows.sum() * columns.sum()  # one box
