"""Pictures that can be decoded are decoded without a warning, in threads and processes too."""

import os
import struct
import subprocess
import sys

import pytest
from PIL import Image

# A tag of 50 bytes far behind the end of the block, which Pillow warns of and skips.
DAMAGED = b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 271, 2, 50, 1 << 24) + bytes(4)
SCRIPT = """
import sys, threading
import numpy as np
import data_tools
from data_tools.pictures import decode
from data_tools.workers import Prefetcher

def read(name):
    with open(f"{sys.argv[1]}/train/a/{name}.jpg", "rb") as file:
        decode(file.read(), name, 16)

def main():
    threads = [threading.Thread(target=read, args=[name]) for name in ("damaged", "large") * 2]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    images = data_tools.load(f"imagenet:{sys.argv[1]},size=16", "train")
    prefetcher = Prefetcher(images, data_tools.Augment(), 2, 1)
    prefetcher.request((0, 0), np.arange(2), (0, 0, 0))
    print(*prefetcher.get((0, 0))[1])
    prefetcher.close()

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A picture with damaged EXIF, and one of 90 million pixels."""
    root = tmp_path_factory.mktemp("net")
    (root / "train" / "a").mkdir(parents=True)
    Image.new("L", (20, 20)).save(root / "train" / "a" / "damaged.jpg", exif=DAMAGED)
    Image.new("L", (10_000, 9_000)).save(root / "train" / "a" / "large.jpg")
    return root


def test_threads_and_decoding_processes_print_no_warning(folder, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    run = [sys.executable, str(tmp_path / "script.py"), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=120)
    assert (done.stdout, done.stderr) == ("True True\n", "")
