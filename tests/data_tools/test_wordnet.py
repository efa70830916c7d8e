import pytest

from data_tools import DataError
from data_tools.wordnet import are_wordnet_ids, imagenet_classes, imagenet_labels, in_words


def test_imagenet_has_a_thousand_sorted_classes():
    classes = imagenet_classes()
    assert len(classes) == len({id for id, _ in classes}) == 1000
    assert classes == tuple(sorted(classes))
    assert are_wordnet_ids(tuple(id for id, _ in classes))
    assert classes[0] == ("n01440764", "tench")
    assert classes[999][0] == "n15075141"


def test_in_words_replaces_known_ids_only():
    assert in_words(("n01440764", "n00000000")) == ("tench", "n00000000")
    assert in_words(("ant", "n01440764")) == ("ant", "n01440764")  # not all are WordNet ids


def test_all_names_of_imagenet_are_found_but_those_of_two_classes():
    ids, words = zip(*imagenet_classes(), strict=True)
    assert imagenet_labels(ids, "x") == tuple(range(1000))
    lower = [word.lower() for word in words]
    twice = {word for word in lower if lower.count(word) > 1}
    assert twice == {"crane", "maillot", "cardigan"}
    once = tuple(word for word in words if word.lower() not in twice)
    labels = imagenet_labels(tuple(word.replace(" ", "_").upper() for word in once), "x")
    assert [words[label] for label in labels] == list(once)
    with pytest.raises(DataError, match="x: 'crane' is not one of ImageNet's thousand"):
        imagenet_labels(("crane",), "x")
