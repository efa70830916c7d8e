from data_tools.wordnet import are_wordnet_ids, imagenet_classes, in_words


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
