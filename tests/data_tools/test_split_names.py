import pytest

from data_tools.split_names import is_container, prefixed_split_of, split_of


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (
            "train",
            "train Train TRAINING training_set train-images trn ILSVRC2012_img_train train2017",
        ),
        ("val", "val Valid VALIDATION validation_set dev valid_data imagenet-val val2014 eval"),
        ("test", "test TEST Testing test_set testset test1 imgs_test Test-Data"),
        (None, "trainer bus intrain validated latest testament trainval asl_train 2750 images cat"),
    ],
)
def test_the_names_of_splits(split, names):
    for name in names.split():
        assert split_of(name) == split, name


def test_names_with_a_prefix():
    assert prefixed_split_of("asl_alphabet_train") == ("train", "asl_alphabet")
    assert prefixed_split_of("Seg-Test") == ("test", "seg")
    assert prefixed_split_of("train") is prefixed_split_of("bustrain") is None


def test_names_of_containers():
    assert is_container("Images")
    assert not is_container("cat")
