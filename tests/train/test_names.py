from concurrent.futures import ThreadPoolExecutor

import pytest

from tervit_np.train.names import check_file_name, file_name_from, new_folder


@pytest.mark.parametrize("name", ["float", "8-bit", "ternary-layer", "v1.2", "_x", "größe", "相"])
def test_names_of_letters_and_digits_are_files(name):
    check_file_name("name", name)


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", ".hidden", "-rf", "a.", "/abs", "a/b", "../up", "x/../../..", "a\\b", "C:",
        "C:\\x", "a\0", "\0", "a\nb", "a b", "a\x1b[31m", "con", "CON", "Nul", "aux.npz", "prn.x",
        "com1", "LPT9", "com¹", "a:b", "a*", "a?", "a|b", '"', "~", "$HOME", "%TEMP%", "\udcff",
        "a\u202eb", "x" * 101, "相" * 50,
    ],
)  # fmt: skip
def test_what_is_a_path_somewhere_is_refused(name):
    with pytest.raises(ValueError, match="^name "):
        check_file_name("name", name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shapes", "shapes"),
        ("folder:/data/my photos@64", "my-photos"),
        ("folder:~/flowers@64,test=0.2", "flowers"),  # as docs/data.md has it
        ("imagenet:~/imagenette,size=64,classes=10", "imagenette"),
        ("shards:D:\\a,b\\", "a-b"),
        ("folder:set.tar@32", "set"),
        ("folder:/../..", "run"),
        ("..", "run"),
        ("nul", "run-nul"),
        ("folder:\x1b[31m\udcff", "31m"),
    ],
)
def test_a_data_set_names_its_run_folder(text, name):
    assert file_name_from(text) == name
    check_file_name("name", file_name_from(text))


def test_a_long_text_becomes_a_short_name():
    check_file_name("name", file_name_from("folder:" + "相/" * 3000))


def test_new_folders_are_numbered(tmp_path):
    names = [new_folder(tmp_path / "runs", "shapes").name for _ in range(3)]
    assert names == ["shapes", "shapes-2", "shapes-3"]


def test_threads_that_ask_at_once_get_different_folders(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_folder(tmp_path, "shapes"), range(24)))
    assert len(set(folders)) == 24


def test_a_name_may_be_as_long_as_its_use_allows():
    """Drawings of my_pictures_of_the_garden_2024 and ..._2025 would have one name."""
    name = "my_pictures_of_the_garden_2024"
    assert file_name_from(f"folder:{name}", 60) == name
    assert file_name_from(f"folder:{name}") == name[:25]
