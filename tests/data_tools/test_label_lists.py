"""Splits whose pictures are labelled by a list, as ImageNet's validation split is."""

import zlib

import pytest

from data_tools import DataError
from data_tools.layout import find_layout
from data_tools.wordnet import imagenet_classes

IDS = tuple(id for id, _ in imagenet_classes())
TRAIN = [f"train/{name}/*.JPEG" for name in ("n01", "n02", "n03")]
LABELS = ("n03", "n01", "n01")
VAL = [f"ILSVRC2012_val_0000000{i}" for i in (1, 2, 3)]
CLS_LOC = "ILSVRC/Data/CLS-LOC/"
SOLUTION = "ImageId,PredictionString\n" + "".join(
    f"{name},{label} 85 1 499 272 {label} 3 4 5 6\n"
    for name, label in zip(VAL[::-1], LABELS[::-1], strict=True)
)


def rows(labels=LABELS, ending=".JPEG", gap=" "):
    return "".join(f"{name}{ending}{gap}{label}\n" for name, label in zip(VAL, labels, strict=True))


def pictures(folder="val/", count=3):
    return [f"{folder}{name}.JPEG" for name in VAL[:count]]


def labels(layout):
    class_of = layout.split("test").class_of
    return tuple(class_of[file] for file in sorted(class_of))


def test_kaggles_imagenet(files_of):
    """Annotations, lists of running numbers and unlabelled test pictures are next to it."""
    files = files_of(
        *[f"{CLS_LOC}{name}" for name in TRAIN],
        *pictures(f"{CLS_LOC}val/"),
        f"{CLS_LOC}test/*.JPEG",
        "ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml",
        **{
            "LOC_val_solution.csv": SOLUTION,
            "LOC_synset_mapping.txt": "n01 tench, Tinca tinca\n",
            "ILSVRC__ImageSets__CLS-LOC__val.txt": rows("123", ""),
            "ILSVRC__ImageSets__CLS-LOC__train_cls.txt": "n01/1 1\n",
        },
    )
    layout = find_layout(files)
    assert labels(layout) == LABELS
    assert layout.classes == ("n01", "n02", "n03")
    assert len(layout.split("train").class_of) == 6
    assert layout.splits["test"].lists == ("LOC_val_solution.csv",)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("val__val_annotations.txt", rows(gap="\t")),
        ("val__val_annotations.txt", "\ufeff" + rows(gap="\t").replace("\n", "\t0\t0\t9\t9\r\n")),
        ("val.txt", rows()),
        ("val__val.txt", rows(ending="")),
        ("meta__val.txt", rows(labels=("2", "0", "1"))),
        ("meta__val.txt", rows(labels=("val/x", "", "")).replace(VAL[0], f"val/{VAL[0]}")),
        ("devkit__imagenet_2012_validation_synset_labels.txt", "\n".join(LABELS)),
    ],
)
def test_lists_have_many_forms(files_of, file, text):
    expected = LABELS
    if "2\n" in text:
        expected = ("n03", "n01", "n02")  # numbers count the sorted classes from 0
    if "val/x" in text:
        text, expected = rows().replace("ILSVRC", "some/folder/ILSVRC"), LABELS
    assert labels(find_layout(files_of(*TRAIN, *pictures(), **{file: text}))) == expected


def test_a_list_alone_labels_a_split_without_training_pictures(files_of):
    files = files_of(*pictures(f"{CLS_LOC}val/"), **{"LOC_val_solution.csv": SOLUTION})
    layout = find_layout(files)
    assert (labels(layout), layout.classes) == (LABELS, ("n01", "n03"))


KIT = IDS[500:] + IDS[:500]  # another order than the sorted one
KIT_TEXT = "".join(f"{id} {i} a_word\n" for i, id in reversed([*enumerate(KIT, 1)]))
TRUTH = {"ILSVRC2012_validation_ground_truth.txt": "490\n1\n1000\n"}


def meta_mat(ids, wide=False):
    """The file as the kit has it: a header, then one compressed element."""
    words = b"".join(
        b"\0\x0e" + (id.encode("utf-16-le") if wide else id.encode()) + b"\0\x04kit fox\0"
        for id in ids
    )
    body = zlib.compress(words + b"n00001740" * 3)
    return (
        b"MATLAB 5.0 MAT-file".ljust(128) + b"\x0f\0\0\0" + len(body).to_bytes(4, "little") + body
    )


@pytest.mark.parametrize("form", ["mat", "wide", "text"])
def test_the_ground_truth_counts_as_the_development_kit_does(files_of, form):
    files = files_of(*pictures("ILSVRC2012_img_val/"), **TRUTH)
    if form == "text":
        files.contents["devkit/data/map_clsloc.txt"] = KIT_TEXT.encode()
    else:
        files.contents["devkit/data/meta.mat"] = meta_mat(KIT, form == "wide")
    layout = find_layout(files)
    assert labels(layout) == (KIT[489], KIT[0], KIT[999])
    assert len(layout.splits["test"].lists) == 2


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        (TRUTH, "order of the development kit, and its meta.mat or map_clsloc.txt is not here"),
        (TRUTH | {"map_clsloc.txt": KIT_TEXT[:900]}, "does not list ImageNet's thousand"),
        (TRUTH | {"meta.mat": "MATLAB"}, "meta.mat: does not list ImageNet's thousand classes"),
        ({"ILSVRC2012_validation_ground_truth.txt": "1\n2\n"}, "2 labels for 3 pictures"),
        ({next(iter(TRUTH)): "0\n1\n2\n", "map_clsloc.txt": KIT_TEXT}, "has the label '0'"),
        ({next(iter(TRUTH)): "1\n2\n1001\n", "map_clsloc.txt": KIT_TEXT}, "has the label '1001'"),
        ({"val.txt": rows("123")}, "labels are numbers from 1 to 3, and how they count the 3"),
        ({"val.txt": rows("012")}, "is not certain"),
        ({"val.txt": rows("011")}, "all numbers from 0 to 2"),
        ({"val.txt": rows()[:80]}, "val_00000003.JPEG is not in this list"),
        ({"val.txt": rows() + "other.JPEG n01\n"}, "other.JPEG is missing; unpack"),
        ({"val.txt": rows() + f"{VAL[0]}.JPEG n01\n"}, "has two classes, n03 and n01"),
        ({"val.txt": "\n\n"}, "lists no picture"),
        ({"val.txt": "a\n" * 20_000}, "40,000 bytes in 20,000 lines are no list of 3 pictures"),
        ({"LOC_val_solution.csv": "a," * 10**6}, "2,000,000 bytes in 0 lines are no list of 3"),
        ({"LOC_val_solution.csv": f"a,{'b' * 10**6}\n" + "\n" * 900}, "not a table of comma-"),
        (TRUTH | {"meta.mat": "x" * 9_000_000}, "meta.mat: 9000000 bytes are too many"),
        ({"a__LOC_val_solution.csv": SOLUTION, "b__LOC_val_solution.csv": ""}, "two lists of"),
    ],
)  # fmt: skip
def test_lists_that_do_not_fit_are_refused(files_of, lists, words):
    with pytest.raises(DataError, match=words):
        find_layout(files_of(*TRAIN, *pictures(), **lists))


def test_two_pictures_of_one_name_are_refused_where_the_list_has_no_endings(files_of):
    files = files_of(*TRAIN, *pictures(), f"val/{VAL[1]}.png", **{"val.txt": rows(ending="")})
    with pytest.raises(DataError, match=r"which of val/.*JPEG and val/.*png is ILSVRC2012_val_0"):
        find_layout(files)
    both = rows() + f"{VAL[1]}.png n02\n"
    files = files_of(*TRAIN, *pictures(), f"val/{VAL[1]}.png", **{"val.txt": both})
    assert labels(find_layout(files)) == ("n03", "n01", "n02", "n01")


def test_a_class_of_the_list_that_train_lacks_is_refused(files_of):
    text = rows(labels=("n03", "n01", "n09"))
    layout = find_layout(files_of(*TRAIN, *pictures(), **{"val.txt": text}))
    with pytest.raises(DataError, match="class 'n09' of test does not occur in train"):
        layout.split("test")


def test_a_list_that_is_not_understood_leaves_the_split_unlabelled(files_of):
    layout = find_layout(files_of(*TRAIN, *pictures(), **{"labels.csv": SOLUTION}))
    assert layout.unlabelled == {"val": "val/"}
