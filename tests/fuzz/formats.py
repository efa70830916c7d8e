"""A small good file of every format, how it is read, and how it may be damaged with sense."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import mutations as m

SMALL = {"patch_size": 4, "dim": 16, "depth": 1, "heads": 2, "image_size": 8, "num_classes": 3}
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Format:
    """Files are made in an empty folder, one that fits `pattern` is damaged, all are read.

    `read` returns a description of what was read in the folder or, if `single`, in one file. With
    `checked`, a file whose bytes are damaged at random is refused or read as it was. `repair`
    makes a checksum right after a structured mutation.
    """

    make: Callable[[Path], None]
    read: Callable[[Path], str]
    structured: tuple[m.Mutation, ...] = ()
    pattern: str = "*"
    single: bool = False
    checked: bool = False
    repair: Callable[[Path], None] | None = None


def digest(*values: Any) -> str:
    """Describe arrays and other values."""
    parts = [v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode() for v in values]
    return hashlib.sha256(b"|".join(parts)).hexdigest()


def model() -> Any:
    """Return a model of a thousand weights."""
    import tervit_np as tv

    return tv.create_model("deit_shapes", seed=1, **SMALL)


def make_npz(folder: Path) -> None:
    """Save a quantized model."""
    import tervit_np as tv

    net = model()
    tv.quantize(net, "ternary")
    tv.save_checkpoint(net, folder / "x.npz", extra={"classes": ["a", "b", "c"]})


def read_npz(folder: Path) -> str:
    """Load a model."""
    import tervit_np as tv

    net, extra = tv.load_model(folder / "x.npz")
    return digest(*net.state_dict().values(), extra)


def make_packed(folder: Path) -> None:
    """Export a quantized model."""
    import tervit_np as tv

    net = model()
    tv.quantize(net, "ternary")
    tv.export(net, folder / "x.packed", extra={"classes": ["a", "b", "c"]})


def read_packed(folder: Path) -> str:
    """Load a packed model."""
    from tervit_np.deploy import load_packed

    packed = load_packed(folder / "x.packed")
    return digest(packed.model.config, packed.extra)


def packed_texts(content: bytes, rng: m.Generator) -> bytes:
    """Change a description in a packed file, and its SHA-256."""
    from tervit_np.deploy.writing import checksum

    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    texts = header.pop("__metadata__")
    key = str(rng.choice([key for key in texts if key not in ("sha256", "format")]))
    texts[key] = json.dumps(m.json_value(json.loads(texts[key]), rng))
    kinds = {"F32": "<f4", "U8": "u1", "I8": "i1", "F16": "<f2"}
    arrays = {
        name: np.frombuffer(
            content[8 + size :][slice(*entry["data_offsets"])], kinds[entry["dtype"]]
        ).reshape(entry["shape"])
        for name, entry in header.items()
    }
    texts["sha256"] = checksum(arrays, texts)
    text = json.dumps({"__metadata__": texts, **header}).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def make_safetensors(folder: Path) -> None:
    """Save weights as other programs do."""
    import tervit_np as tv

    tv.save_safetensors(model().state_dict(), folder / "x.safetensors", {"format": "pt"})


def read_weights(name: str, **options: bool) -> Callable[[Path], str]:
    """Read weights of any format."""

    def read(folder: Path) -> str:
        import tervit_np as tv

        return digest(*tv.load_checkpoint(folder / name, **options).items())

    return read


def copied(source: str, name: str) -> Callable[[Path], None]:
    """Take a file that another program has written."""
    path = HERE.parent / "checkpoints" / "formats" / source

    def make(folder: Path) -> None:
        shutil.copyfile(path, folder / name)

    return make


def make_cifar(folder: Path) -> None:
    """Pickle a batch of pictures, as CIFAR's authors and as Python of today do."""
    import pickle

    pixels = np.arange(2 * 3072, dtype=np.uint8).reshape(2, 3072)
    batch = {b"data": pixels, b"labels": [3, 4], b"filenames": [b"a.png", b"b.png"]}
    for protocol in (0, 2, 5):
        (folder / f"batch_{protocol}").write_bytes(pickle.dumps(batch, protocol))


def read_cifar(file: Path) -> str:
    """Read a batch."""
    from data_tools.cifar import CIFAR, _parse_pickle

    return digest(*_parse_pickle(file.read_bytes(), str(file), CIFAR["cifar10"]))


def make_tar(name: str, mode: str, form: int) -> Callable[[Path], None]:
    """Pack a few files, one with a long name."""

    def make(folder: Path) -> None:
        with tarfile.open(folder / name, mode, format=form) as archive:
            for i, file in enumerate(("a/x.png", "b/" + "long" * 40 + ".png", "b/y.txt")):
                info = tarfile.TarInfo(file)
                info.size = 700 * i
                archive.addfile(info, io.BytesIO(bytes(range(i, i + 100)) * 7 * i))

    return make


def read_tar(folder: Path) -> str:
    """Read all members."""
    from data_tools.files import open_files

    files = open_files(next(folder.iterdir()))
    return digest(files.names(), sorted(files.read(lambda name: True)))


PICTURES = {
    "a.png": {}, "b.jpg": {}, "c.webp": {}, "d.gif": {}, "e.bmp": {}, "f.tif": {}, "g.ppm": {},
    "h.tga": {}, "i.ico": {}, "j.jp2": {}, "k.pcx": {}, "l.sgi": {}, "m.dds": {}, "n.qoi": {},
    "o.tif": {"compression": "tiff_deflate"}, "p.jpg": {"progressive": True}, "q.icns": {},
    "r.avif": {}, "s.png": {"exif": True}, "t.jpg": {"exif": True},
}  # fmt: skip


def make_pictures(folder: Path) -> None:
    """Save a picture in every format that Pillow writes."""
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    for name, options in PICTURES.items():
        given: dict[str, Any] = {**options, "exif": exif} if "exif" in options else options
        try:
            Image.fromarray(pixels).save(folder / name, **given)
        except (OSError, KeyError):  # this Pillow cannot write it
            Image.fromarray(pixels).save(folder / name, "PNG")


def read_picture(file: Path) -> str:
    """Decode a picture."""
    from data_tools.pictures import decode

    return digest(decode(file.read_bytes(), str(file), 16))


PLAN = """
name = "small"
data = "shapes"
about = "A plan for tests."
images = 48
multipliers = [0.5, 1]
search_seeds = [7]
seeds = [0, 1]
baseline = "direct"
config = {patch_size = 4, dim = 16, depth = 1, heads = 2}
recipe = {batch_size = 8, betas = [0.9, 0.99]}

[[arms]]
name = "direct"
stages = [{name = "float", plan = "float", epochs = 1, lr = 4e-3}, {name = "ternary", plan = "ternary", epochs = 2, lr = 4e-3}]

[[arms]]
name = "progressive"
stages = [{name = "float", plan = "float", epochs = 1, lr = 4e-3}, {name = "int8", plan = [["blocks.*", {rule = "UniformWeight", bits = 8, per = "channel"}, {rule = "UniformAct", bits = 8, kind = "symmetric", per = "token"}]], epochs = 2, lr = 4e-3}]

[[contrasts]]
name = "gain"
of = ["progressive"]
against = ["direct"]
"""  # noqa: E501


def make_plan(folder: Path) -> None:
    """Write a plan of a comparison."""
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")


def read_plan(folder: Path) -> str:
    """Read a plan."""
    from tervit_np.analysis.comparison.reading import read_plan

    return repr(read_plan(folder / "plan.toml").describe())


RUN = {
    "command": "tervit train",
    "started": "today",
    "seed": 1,
    "threads": 1,
    "backend": "numpy",
    "model": {"model": "DeiT", "config": SMALL, "dtype": "float32", "parameters": 7},
    "stages": [{"name": "a", "plan": "float", "epochs": 1, "lr": 0.1}],
    "recipe": {"batch_size": 8, "betas": [0.9, 0.99], "augment": {}},
    "data": {"name": "shapes", "classes": ["x"], "train": 8, "val": 0, "test": 8},
    "environment": {"numpy": "2"},
}
ENDS = {"test_accuracy": 0.5, "test_loss": 1.5}
METRICS = [
    {"kind": "step", "stage": "a", "step": 0, "loss": 2.5, "rate": 10.0, "lr": 0.1},
    {"kind": "eval", "stage": "a", "step": 1, "loss": 2.5, "accuracy": 0.5, "epoch": 1},
    {"kind": "stage", "stage": "a", "name": "a", "epochs": 1, "start": ENDS, "end": ENDS,
     "seconds": 1.0},
    {"kind": "run", "seconds": 1.0},
]  # fmt: skip


def make_run(folder: Path) -> None:
    """Write the configuration and the metrics of a run."""
    (folder / "run.json").write_text(json.dumps(RUN))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in METRICS))


def read_run(folder: Path) -> str:
    """Read a run as its report does."""
    from tervit_np.analysis.report.record import read_run

    run = read_run(folder)
    return repr((run.stage_names, run.epoch_steps, run.stages, run.steps, run.evaluations))


def make_progress(folder: Path) -> None:
    """Write a student's progress."""
    from tervit_np.exercises.progress import Progress
    from tervit_np.exercises.tasks import EXERCISES

    Progress(folder).record_pass(EXERCISES[0])
    Progress(folder).open_hint(EXERCISES[0])


def read_progress(folder: Path) -> str:
    """Read it as `tervit exercise` does."""
    from tervit_np.exercises.progress import Progress
    from tervit_np.exercises.tasks import EXERCISES

    record = Progress(folder)
    return repr([(record.passed(e), record.hints(e)) for e in EXERCISES])


def make_comparison(folder: Path) -> None:
    """Write the record of a comparison."""
    import tomllib

    from tervit_np.analysis.comparison import Record
    from tervit_np.analysis.comparison.reading import plan_from_table
    from tervit_np.analysis.comparison.record import write_record

    plan = plan_from_table(tomllib.loads(PLAN))
    tested = [
        {"arm": arm.name, "seed": seed, "multiplier": 1.0, "accuracy": 0.5, "loss": 1.0,
         "test_accuracy": 0.5 + seed / 10, "test_loss": 1.0,
         "stages": [{"name": s.name, "start_accuracy": 0.1} for s in arm.stages]}
        for arm in plan.arms for seed in plan.seeds
    ]  # fmt: skip
    chosen, data = {"direct": 0.5, "progressive": 1.0}, {"train": 48, "validation": 24, "test": 24}
    record = Record(plan, [], chosen, tested, data, {"numpy": "2"})
    write_record(record, folder / "comparison.json")


def read_comparison(folder: Path) -> str:
    """Read the record and what tables show of it."""
    from tervit_np.analysis.comparison.record import read_record

    record = read_record(folder)
    parts = [record.difference(contrast) for contrast in record.plan.contrasts]
    return repr((parts, [record.untrained(arm.name) for arm in record.plan.arms]))


def toy_set() -> Any:
    """Return a set of five pictures."""
    from data_tools import ImageSet

    images = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
    numbers = (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)
    return ImageSet("toy", "train", images, np.arange(5) % 2, ("a", "b"), *numbers)


def read_cache(folder: Path) -> str:
    """Load a set through its cache, which is made if need be."""
    from data_tools.cache import cached

    found = cached(folder, "toy", "f1", toy_set)
    return digest(found.images, found.labels, found.classes, found.mean, found.std, found.split)


def make_cache(folder: Path) -> None:
    """Write the cache of a set."""
    read_cache(folder)


def cache_meta(content: bytes, rng: m.Generator) -> bytes:
    """Change the description of a cache, if that is the file."""
    return m.json_text(content, rng) if content.startswith(b"{") else m.npy_header(content, rng)


def repair_cache(folder: Path) -> None:
    """Write the checksum of a cache anew."""
    from data_tools.cache import _checksum

    file = folder / "decoded" / "toy-f1" / "meta.json"
    meta = json.loads(file.read_bytes())
    if isinstance(meta, dict):
        meta.pop("checksum", None)
        file.write_text(json.dumps({**meta, "checksum": _checksum(file.parent, meta)}))


def make_listing(folder: Path) -> None:
    """List a folder of pictures, which writes the cache."""
    for name in ("ant/0", "ant/1", "bee/0"):
        file = folder / "set" / "train" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    read_listing(folder)


def read_listing(folder: Path) -> str:
    """List a folder of pictures through the cache, which is made if need be."""
    from data_tools.listing import list_pictures

    found = list_pictures(folder / "set", "train", folder)
    return repr([found.name(i) for i in range(len(found))]) + digest(found.labels, found.classes)


def listing_header(content: bytes, rng: m.Generator) -> bytes:
    """Change the header of a listing."""
    line, _, body = content.partition(b"\n")
    return m.json_text(line, rng) + b"\n" + body


def listing_arrays(content: bytes, rng: m.Generator) -> bytes:
    """Change the names, offsets and labels of a listing."""
    line, _, body = content.partition(b"\n")
    return line + b"\n" + m.any_bytes(body, rng)


def repair_listing(folder: Path) -> None:
    """Write the checksum of a listing anew."""
    from data_tools.listing import _checksum

    (file,) = (folder / "indexes").iterdir()
    line, _, body = file.read_bytes().partition(b"\n")
    header = json.loads(line)
    if isinstance(header, dict):
        header.pop("checksum", None)
        text = json.dumps({**header, "checksum": _checksum(header, body)})
        file.write_bytes(text.encode() + b"\n" + body)


LISTS = {
    "tiny/val/val_annotations.txt": "a.png\tant\t0\t0\t9\t9\nb.png\tbee\t0\t0\t9\t9\n",
    "kaggle/LOC_val_solution.csv": "ImageId,PredictionString\na,ant 0 0 9 9\nb,bee 0 0 9 9\n",
    "caffe/val.txt": "a.png 1\nb.png 0\n",
}


def make_lists(folder: Path) -> None:
    """Make data sets whose validation split is labelled by a list."""
    for name, text in LISTS.items():
        root = folder / Path(name).parts[0]
        for picture in ("train/ant/x.png", "train/bee/x.png", "val/a.png", "val/b.png"):
            (root / picture).parent.mkdir(parents=True, exist_ok=True)
            (root / picture).touch()
        (folder / name).write_text(text)


def read_list(file: Path) -> str:
    """Find the classes of the data set that the list is in."""
    from data_tools.files import Folder
    from data_tools.layout import find_layout

    root = next(p for p in (file.parent, *file.parents) if (p / "train").is_dir())
    return repr(find_layout(Folder(root)))


PAX, GNU = tarfile.PAX_FORMAT, tarfile.GNU_FORMAT
FORMATS = {
    "npz": Format(
        make_npz,
        read_npz,
        (m.zip_members(m.npy_header), m.zip_members(m.npy_json, "meta"),
         m.zip_members(m.any_bytes)),
        checked=True,
    ),
    "packed": Format(make_packed, read_packed, (packed_texts, m.safetensors_header), checked=True),
    "safetensors": Format(
        make_safetensors, read_weights("x.safetensors"), (m.safetensors_header,)
    ),
    "pth": Format(
        copied("small.pth", "x.pth"),
        read_weights("x.pth"),
        (m.zip_members(m.pickled, "data.pkl"), m.zip_members(m.any_bytes, "data.pkl"),
         m.zip_members(m.any_bytes)),
    ),
    "pth-lenient": Format(
        copied("small.pth", "x.pth"),
        read_weights("x.pth", lenient=True),
        (m.zip_members(m.pickled, "data.pkl"), m.zip_members(m.any_bytes, "data.pkl")),
    ),
    "pth-legacy": Format(
        copied("small_older.pth", "x.pth"), read_weights("x.pth", lenient=True), (m.pickled,)
    ),
    "cifar": Format(make_cifar, read_cifar, (m.pickled,), single=True),
    "tar": Format(make_tar("x.tar", "w", PAX), read_tar, (m.tar_header,)),
    "tar.gz": Format(
        make_tar("x.tar.gz", "w:gz", GNU), read_tar,
        (m.compressed("gz", m.tar_header), m.compressed("gz", m.any_bytes)), checked=True,
    ),
    "tar.bz2": Format(
        make_tar("x.tar.bz2", "w:bz2", PAX), read_tar, (m.compressed("bz2", m.tar_header),),
        checked=True,
    ),
    "tar.xz": Format(
        make_tar("x.tar.xz", "w:xz", GNU), read_tar, (m.compressed("xz", m.tar_header),),
        checked=True,
    ),
    "pictures": Format(make_pictures, read_picture, (m.png_chunk,), single=True),
    "labels": Format(make_lists, read_list, (m.words,), "*/**/*.[tc][xs][tv]", single=True),
    "plan": Format(make_plan, read_plan, (m.words,)),
    "run": Format(make_run, read_run, (m.json_text,), "run.json"),
    "metrics": Format(make_run, read_run, (m.json_text,), "metrics.jsonl"),
    "progress": Format(make_progress, read_progress, (m.json_text,)),
    "comparison": Format(make_comparison, read_comparison, (m.json_text,)),
    "cache": Format(
        make_cache, read_cache, (cache_meta,), "decoded/*/*", checked=True, repair=repair_cache
    ),
    "listing": Format(
        make_listing, read_listing, (listing_header, listing_arrays), "indexes/*", checked=True,
        repair=repair_listing,
    ),
}  # fmt: skip
