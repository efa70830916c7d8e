"""Ways to damage a file: any bytes, and structures with their checksums made right again.

Every mutation is a function (content, generator) -> content.
"""

import bz2
import gzip
import io
import json
import lzma
import pickle
import pickletools
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

Generator: TypeAlias = np.random.Generator
Mutation: TypeAlias = Callable[[bytes, Generator], bytes]

ODD_BYTES = (0x00, 0x01, 0x0A, 0x20, 0x2D, 0x30, 0x7F, 0x80, 0xFE, 0xFF)
ODD_INTEGERS = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 17, 10**5, 10**9, 2**31, 2**63, 10**30, -(10**30)),
    *(0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"), float("-inf")),
    *("", "x", "0", "../../../x", "/etc/passwd", "a\nb", "\x1b[31m", "$\\frac{$", "\ud800", "\0"),
    *("x" * 3000, "(a+)+" * 20 + "!", [], [[]], {}, {"a": 1}, [1, 2, 3], [None] * 50, "ternary"),
)


def any_bytes(content: bytes, rng: Generator) -> bytes:
    """Change, cut, insert, repeat or exchange bytes at random, once or a few times."""
    for _ in range(int(rng.geometric(0.5))):
        content = _BYTE_MUTATIONS[rng.integers(len(_BYTE_MUTATIONS))](content, rng)
    return content


def _flip(content: bytes, rng: Generator) -> bytes:
    return _replaced(content, rng, lambda old: old ^ (1 << int(rng.integers(8))))


def _odd_byte(content: bytes, rng: Generator) -> bytes:
    return _replaced(content, rng, lambda old: int(rng.choice(ODD_BYTES)))


def _replaced(content: bytes, rng: Generator, change: Callable[[int], int]) -> bytes:
    changed = bytearray(content)
    for offset in rng.integers(0, len(content), 1 + rng.integers(3)) if content else ():
        changed[offset] = change(changed[offset])
    return bytes(changed)


def _odd_integer(content: bytes, rng: Generator) -> bytes:
    width, start = int(rng.choice((2, 4, 8))), int(rng.integers(len(content) + 1))
    number = int(ODD_INTEGERS[rng.integers(len(ODD_INTEGERS))]) % 2 ** (8 * width)
    order = "little" if rng.random() < 0.5 else "big"
    return content[:start] + number.to_bytes(width, order) + content[start + width :]  # type: ignore[arg-type]


def _cut(content: bytes, rng: Generator) -> bytes:
    return content[: rng.integers(len(content) + 1)]


def _part(content: bytes, rng: Generator) -> tuple[int, int]:
    start = int(rng.integers(len(content) + 1))
    return start, start + int(rng.integers(1, 64))


def _remove(content: bytes, rng: Generator) -> bytes:
    start, stop = _part(content, rng)
    return content[:start] + content[stop:]


def _repeat(content: bytes, rng: Generator) -> bytes:
    start, stop = _part(content, rng)
    return content[:stop] + content[start:stop] * int(rng.integers(1, 20)) + content[stop:]


def _insert(content: bytes, rng: Generator) -> bytes:
    start = int(rng.integers(len(content) + 1))
    return content[:start] + rng.bytes(int(rng.integers(1, 16))) + content[start:]


def _zeros(content: bytes, rng: Generator) -> bytes:
    start, stop = _part(content, rng)
    return content[:start] + bytes(len(content[start:stop])) + content[stop:]


_BYTE_MUTATIONS = (_flip, _flip, _odd_byte, _odd_integer, _cut, _remove, _repeat, _insert, _zeros)


def json_value(value: Any, rng: Generator) -> Any:
    """Return a JSON value with one part changed, removed, repeated or nested."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = keys[rng.integers(len(keys))]
        changed: Any = value.copy()
        way = rng.random()
        if way < 0.1:
            del changed[key]
        elif way < 0.15 and isinstance(changed, list):
            changed += changed[:50]
        elif way < 0.2 and isinstance(changed, dict):
            changed[str(ODD_VALUES[rng.integers(len(ODD_VALUES))])] = changed.pop(key)
        else:
            changed[key] = json_value(value[key], rng)
        return changed
    if isinstance(value, int | float) and rng.random() < 0.5:
        return value * int(rng.choice((-1, 2, 10, 1000, 10**6))) + int(rng.integers(-1, 2))
    if rng.random() < 0.05:
        for _ in range(int(rng.choice((3, 200, 900)))):
            value = [value]
        return value
    return ODD_VALUES[rng.integers(len(ODD_VALUES))]


def json_text(content: bytes, rng: Generator) -> bytes:
    """Change the value of a JSON text; of several lines, one of them."""
    lines = content.splitlines() or [b"{}"]
    try:
        return json.dumps(json_value(json.loads(content), rng)).encode()
    except ValueError:
        i = int(rng.integers(len(lines)))
        lines[i] = json.dumps(json_value(json.loads(lines[i]), rng)).encode()
        return b"\n".join(lines) + b"\n"


def words(content: bytes, rng: Generator) -> bytes:
    """Replace, remove or repeat a word, a number or a line of a text."""
    if rng.random() < 0.3:
        lines = content.splitlines(keepends=True)
        i = int(rng.integers(len(lines)))
        return b"".join([*lines[:i], *lines[i : i + 1] * int(rng.choice((0, 2))), *lines[i + 1 :]])
    found = list(re.finditer(rb'[\w.+-]+|"[^"\n]*"|[\[\]{}=]', content))
    match = found[rng.integers(len(found))]
    value = ODD_VALUES[rng.integers(len(ODD_VALUES))]
    new = (
        json.dumps(value).encode() if rng.random() < 0.7 else str(value).encode("utf-8", "replace")
    )
    return content[: match.start()] + new + content[match.end() :]


def zip_members(change: Mutation, name: str = "") -> Mutation:
    """Change a member of a zip archive and write its checksum anew; `name` is part of its name."""

    def mutate(content: bytes, rng: Generator) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        names = [member for member in members if name in member]
        chosen = names[rng.integers(len(names))]
        members[chosen] = change(members[chosen], rng)
        buffer = io.BytesIO()
        kind = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
        with zipfile.ZipFile(buffer, "w", kind) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        return buffer.getvalue()

    return mutate


def npy_header(content: bytes, rng: Generator) -> bytes:
    """Change the description of an array."""
    start, stop = 10, 10 + int.from_bytes(content[8:10], "little")
    text = words(content[start:stop].rstrip(), rng) if rng.random() < 0.7 else any_bytes(
        content[start:stop], rng)  # fmt: skip
    text = text.ljust(stop - start)[: 2**16 - 1]
    return content[:8] + len(text).to_bytes(2, "little") + text + content[stop:]


def npy_json(content: bytes, rng: Generator) -> bytes:
    """Change the JSON text that is stored as an array of bytes."""
    start = 10 + int.from_bytes(content[8:10], "little")
    buffer = io.BytesIO()
    np.save(buffer, np.frombuffer(json_text(content[start:], rng), np.uint8))
    return buffer.getvalue()


def pickled(content: bytes, rng: Generator) -> bytes:
    """Remove, repeat, exchange or insert instructions of a pickle."""
    places = [0]
    try:
        places += [place for _, _, place in pickletools.genops(content) if place is not None]
    except ValueError:
        return any_bytes(content, rng)
    start, stop = sorted(rng.choice(places, 2))
    stop = min(stop, start + 60)
    way = int(rng.integers(4))
    if way == 0:
        return content[:start] + content[stop:]
    if way == 1:
        return content[:stop] + content[start:stop] * int(rng.integers(1, 30)) + content[stop:]
    if way == 2:
        return content[:start] + content[start : start + 1].swapcase() + content[start + 1 :]
    return content[:start] + _instruction(rng) + content[start:]


def _instruction(rng: Generator) -> bytes:
    opcode = pickletools.opcodes[rng.integers(len(pickletools.opcodes))]
    if opcode.name in ("GLOBAL", "INST"):
        names = (b"os\nsystem\n", b"builtins\neval\n", b"numpy\nndarray\n", b"torch\nSize\n")
        return opcode.code.encode("latin-1") + names[rng.integers(len(names))]
    number = int(ODD_INTEGERS[rng.integers(len(ODD_INTEGERS))])
    argument = {1: struct.pack("<Q", number)[: int(rng.choice((1, 2, 4, 8)))], 2: b"%d\n" % number,
                3: b""}[int(rng.integers(1, 4))]  # fmt: skip
    doubled = b")" + pickle.DUP * 1 + b"\x86" + (pickle.DUP + b"\x86") * 40
    return doubled if rng.random() < 0.05 else opcode.code.encode("latin-1") + argument


def tar_header(content: bytes, rng: Generator) -> bytes:
    """Change a header of a tar archive and its checksum."""
    headers = [i for i in range(0, len(content), 512) if content[i + 257 : i + 262] == b"ustar"]
    start = headers[rng.integers(len(headers))]
    block = bytearray(content[start : start + 512])
    fields = ((0, 100), (124, 136), (124, 136), (156, 157), (257, 265), (345, 500), (482, 483))
    first, last = fields[rng.integers(len(fields))]
    odd = (b"", b"\x80" + struct.pack(">Q", 2**62), b"777777777777", b"../../x", b"/x", b"x" * 155,
           b"x", b"g", b"L", b"K", b"S", b"1", b"5", b"\xff" * 12)  # fmt: skip
    value = odd[rng.integers(len(odd))] if rng.random() < 0.7 else rng.bytes(last - first)
    block[first:last] = value[: last - first].ljust(last - first, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return content[:start] + bytes(block) + content[start + 512 :]


def compressed(kind: str, change: Mutation) -> Mutation:
    """Change what is in a compressed file."""
    packer: Any = {"gz": gzip, "bz2": bz2, "xz": lzma}[kind]

    def mutate(content: bytes, rng: Generator) -> bytes:
        packed: bytes = packer.compress(change(packer.decompress(content), rng))
        return packed

    return mutate


def png_chunk(content: bytes, rng: Generator) -> bytes:
    """Change a chunk of a PNG and its checksum; leave other files alone but for their bytes."""
    if not content.startswith(b"\x89PNG"):
        return any_bytes(content, rng)
    chunks = list(_png_chunks(content))
    i = int(rng.integers(len(chunks)))
    kind, data = chunks[i]
    if rng.random() < 0.2:
        kind = (b"IHDR", b"PLTE", b"IDAT", b"eXIf", b"zTXt", b"iCCP", b"acTL")[rng.integers(7)]
    chunks[i] = kind, any_bytes(data, rng) if rng.random() < 0.6 else _odd_integer(data[:9], rng)
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d))
             for k, d in chunks]  # fmt: skip
    return content[:8] + b"".join(parts)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        yield content[position + 4 : position + 8], content[position + 8 : position + 8 + size]
        position += 12 + size


def safetensors_header(content: bytes, rng: Generator) -> bytes:
    """Change the JSON header of a safetensors file and its length."""
    size = int.from_bytes(content[:8], "little")
    text = json_text(content[8 : 8 + size], rng)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]
