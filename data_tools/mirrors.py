"""Where data sets can be downloaded, with the size and checksum of each file.

The official server of CIFAR has at times been slow (below 0.1 MB/s: more than half an hour), so
fast.ai's copy comes first: the same pixels as PNG files, with the sizes and MD5 sums that fast.ai
publishes. Either copy is also decoded and its images counted before it is used.
"""

from typing import NamedTuple


class Mirror(NamedTuple):
    """A file on a server."""

    url: str
    size: int | None  # in bytes; None: ask the server
    algorithm: str  # of hashlib
    digest: str  # hexadecimal, or as many first digits as are published

    @property
    def file(self) -> str:
        """The file name, the last part of the URL."""
        return self.url.rpartition("/")[2]


MIRRORS = {
    "cifar10": (
        Mirror(
            "https://s3.amazonaws.com/fast-ai-sample/cifar10.tgz",
            168_168_549,
            "md5",
            "a5f8c31371b63a406b23368042812d3c",
        ),
        Mirror(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            170_052_171,
            "sha256",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    "cifar100": (
        Mirror(
            "https://s3.amazonaws.com/fast-ai-imageclas/cifar100.tgz",
            169_168_619,
            "md5",
            "e5e65dcb54b9d3913f7b8a9ad6607e62",
        ),
        Mirror(
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            168_513_733,
            "sha256",
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
    ),
}
