"""The formats of pictures that are read, and the endings of their files.

Pillow also knows formats whose decoders start other programs (EPS: Ghostscript), open further files
of any format (IPTC), exist on Windows only (WMF) or will be removed (IM). FORMATS has the others,
and only these are tried.
"""

import os
from functools import cache

FORMATS = {  # Pillow's name: endings in lower case
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "AVIF": (".avif", ".avifs"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "ICO": (".ico",),
    "CUR": (".cur",),
    "ICNS": (".icns",),
    "QOI": (".qoi",),
    "PCX": (".pcx",),
    "DCX": (".dcx",),
    "PSD": (".psd",),
    "DDS": (".dds",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "XBM": (".xbm",),
    "XPM": (".xpm",),
    "FITS": (".fits", ".fit"),
    "FLI": (".fli", ".flc"),
    "BLP": (".blp",),
    "FTEX": (".ftc", ".ftu"),
    "GBR": (".gbr",),
    "MSP": (".msp",),
    "PCD": (".pcd",),
    "PIXAR": (".pxr",),
}
_UNREAD = (  # endings of pictures in formats that Pillow does not decode, or is not to
    *(".heic", ".heif", ".jxl", ".jxr", ".svg", ".eps", ".ps", ".wmf", ".emf", ".iim", ".im"),
    *(".exr", ".hdr", ".dcm", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf"),
    *(".rw2", ".raf", ".pef", ".srw", ".fpx", ".mic", ".xcf", ".mng", ".jpg_large", ".jpeg_large"),
)
_WITHOUT_SIGNATURE = ("TGA", "PCD")  # any bytes may be one: tried for their endings only


def is_picture(name: str) -> bool:
    """Return whether the ending of a file name, in any letter case, is that of a picture."""
    return _ending(name) in endings()


def needs_ending(name: str) -> bool:
    """Return whether a file of this ending is known as a picture by its name alone."""
    return any(_ending(name) in FORMATS[format] for format in _WITHOUT_SIGNATURE)


def is_unread(name: str) -> bool:
    """Return whether the ending of a file name is that of a picture that cannot be decoded here."""
    return _ending(name) in _unread_endings()


def _ending(name: str) -> str:
    """Return what follows the last dot, with the dot; the whole name if there is none."""
    return name[name.rfind(".") :].lower()


@cache
def endings() -> frozenset[str]:
    """Return the endings of the formats that the installed Pillow can decode."""
    return frozenset(ending for name in _installed_formats() for ending in FORMATS[name])


@cache
def _unread_endings() -> frozenset[str]:
    return frozenset(_UNREAD).union(*FORMATS.values()) - endings()


@cache
def _installed_formats() -> tuple[str, ...]:
    """Return the names in FORMATS that the installed Pillow can decode."""
    from PIL import Image, features

    Image.init()
    libraries = {"JPEG2000": "jpg_2000", "WEBP": "webp", "AVIF": "avif", "JPEG": "jpg"}
    return tuple(
        name
        for name in FORMATS
        if name in Image.OPEN and (name not in libraries or features.check(libraries[name]))
    )


def formats_for(source: str) -> tuple[str, ...]:
    """Return the formats to try: a file's ending may be wrong, its first bytes decide."""
    ending = os.path.splitext(source)[1].lower()
    return tuple(
        name
        for name in _installed_formats()
        if name not in _WITHOUT_SIGNATURE or ending in FORMATS[name]
    )
