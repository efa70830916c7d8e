"""Where data sets can be downloaded, and how to know that what arrives is whole.

The official server of CIFAR has been slow for long stretches (below 0.1 MB/s, three quarters of an
hour), so fast.ai's copy comes first: the same pixels as PNG files. Its sizes and MD5 sums are those
that fast.ai publishes; whichever copy arrives is also decoded and counted before it is used.
"""

from typing import NamedTuple


class Origin(NamedTuple):
    """A file on a server."""

    url: str
    size: int | None  # bytes; None where only the server says how many
    algorithm: str  # a name that hashlib knows
    digest: str  # hexadecimal; the first digits where not all are published

    @property
    def file(self) -> str:
        """The file's own name."""
        return self.url.rpartition("/")[2]


ORIGINS = {
    "cifar10": (
        Origin(
            "https://s3.amazonaws.com/fast-ai-sample/cifar10.tgz",
            168_168_549,
            "md5",
            "a5f8c31371b63a406b23368042812d3c",
        ),
        Origin(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            170_052_171,
            "sha256",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    "cifar100": (
        Origin(
            "https://s3.amazonaws.com/fast-ai-imageclas/cifar100.tgz",
            169_168_619,
            "md5",
            "e5e65dcb54b9d3913f7b8a9ad6607e62",
        ),
        Origin(
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            168_513_733,
            "sha256",
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
    ),
}
