"""Response bodies that are not a page: not JSON, the wrong JSON, or far too large."""

import struct
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache

_HUGE = 32 * 1024 * 1024
_PIECE = 1024 * 1024
_RAW = -15
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
_JSON = {"Content-Type": "application/json"}
Body = tuple[bytes, Mapping[str, str]]


def _not_json(_: int | None) -> Body:
    return b'{"instances": [{"id": ', _JSON


def _html(_: int | None) -> Body:
    return b"<!doctype html><title>Welcome</title><h1>It works!</h1>", {"Content-Type": "text/html; charset=utf-8"}


def _array(_: int | None) -> Body:
    return b"[]", _JSON


def _empty_object(_: int | None) -> Body:
    return b"{}", _JSON


def _nothing(_: int | None) -> Body:
    return b"", _JSON


def _huge(size: int | None) -> Body:
    """A valid page, except that it is `size` bytes long."""
    return _padded(size or _HUGE), _JSON


def _gzip_bomb(size: int | None) -> Body:
    """A few kilobytes that decompress to `size` bytes."""
    return _bomb(size or 2 * _HUGE), {**_JSON, "Content-Encoding": "gzip"}


def _padded(size: int) -> bytes:
    head, tail = b'{"instances":[]', b"}"
    return head + b" " * max(0, size - len(head) - len(tail)) + tail


@lru_cache(maxsize=4)
def _bomb(size: int) -> bytes:
    """`_padded(size)`, compressed. Equal chunks compress to equal bytes, so only one of them is compressed."""
    whole = _padded(size)
    pieces = max(0, len(whole) // _PIECE - 2)
    start = (len(whole) - pieces * _PIECE) // 2
    packed = _packed(whole[:start]) + _packed(b" " * _PIECE) * pieces + _packed(whole[start + pieces * _PIECE :])
    end = zlib.compressobj(wbits=_RAW).flush()
    return _GZIP_HEAD + packed + end + struct.pack("<LL", zlib.crc32(whole), len(whole))


def _packed(data: bytes) -> bytes:
    packer = zlib.compressobj(level=9, wbits=_RAW)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


BODIES: Mapping[str, Callable[[int | None], Body]] = {
    "not-json": _not_json,
    "html": _html,
    "array": _array,
    "empty-object": _empty_object,
    "empty": _nothing,
    "huge": _huge,
    "gzip-bomb": _gzip_bomb,
}
