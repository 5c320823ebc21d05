"""MATLAB v5 files: names and shapes without reading, small values, mapped arrays.

Only what acquisition programs write: numbers, text, cells and structs. Every length is
checked against the bytes that are there before anything is allocated.
"""

import math
import mmap
import struct
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError

HEADER_BYTES = 128
MAX_VARIABLES = 10**6
MAX_VALUE_BYTES = 2**29
MAX_DEPTH = 32
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8",
    12: "i8", 13: "u8", 16: "u1", 17: "u2", 18: "u4",
}  # fmt: skip
_CELL, _STRUCT, _OBJECT, _CHAR = 1, 2, 3, 4
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4",
    14: "i8", 15: "u8",
}  # fmt: skip
_EMPTY = np.empty((0, 0))


class _Damaged(ValueError):
    """The bytes are no MATLAB element."""


@dataclass(frozen=True)
class Variable:
    """One variable of a file.

    Attributes
    ----------
    name : str
        Its name.
    shape : tuple of int
        As MATLAB shows it; the first axis is the fast one.
    dtype : str
        Type of its numbers; empty if it is no array of numbers.
    offset, n_bytes : int
        Where its element lies (after the tag).
    compressed : bool
        Whether it is.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int
    n_bytes: int
    compressed: bool


class _Cursor:
    """Elements in a block of bytes, read one after the other."""

    def __init__(self, data: Any, order: str, at: int, stop: int) -> None:
        self.data = data
        self.order = order
        self.at = at
        self.stop = stop

    def tag(self) -> tuple[int, int, int]:
        """Return (type, position, length) of the next element, and step over it."""
        if self.at + 8 > self.stop:
            raise _Damaged(f"an element is cut short at byte {self.at}")
        kind, length = struct.unpack_from(self.order + "II", self.data, self.at)
        if kind >> 16:
            kind, length = kind & 0xFFFF, kind >> 16
            place, self.at = self.at + 4, self.at + 8
            if length > 4:
                raise _Damaged(f"a small element of {length} bytes at {place}")
        else:
            place = self.at + 8
            padded = length if kind == _COMPRESSED else (length + 7) // 8 * 8
            self.at = place + padded
        if place + length > self.stop:
            raise _Damaged(
                f"an element of {length} bytes at byte {place} ends behind {self.stop}"
            )
        return kind, place, length

    def numbers(self) -> NDArray[Any]:
        """Return the next element as numbers, without a copy."""
        kind, place, length = self.tag()
        if kind not in _TYPES:
            raise _Damaged(f"an element of type {kind} at {place}, expected numbers")
        dtype = np.dtype(self.order + _TYPES[kind])
        return np.frombuffer(self.data, dtype, length // dtype.itemsize, place)

    def text(self) -> str:
        """Return the next element as ASCII text."""
        return self.numbers().tobytes().decode("latin-1").rstrip("\x00")

    def matrix_head(self) -> tuple[int, tuple[int, ...], str, bool]:
        """Return (class, shape, name, complex) at the start of a matrix."""
        flags = self.numbers()
        shape = tuple(int(size) for size in self.numbers())
        if not flags.size or not 2 <= len(shape) <= 32 or min(shape) < 0:
            raise _Damaged(f"an array of shape {shape}")
        word = int(flags[0])
        return word & 0xFF, shape, self.text(), bool(word & 0x800)

    def inner(self) -> "_Cursor":
        """Return a cursor over the next matrix."""
        kind, place, length = self.tag()
        if kind != _MATRIX:
            raise _Damaged(f"an element of type {kind} at {place}, expected a matrix")
        return _Cursor(self.data, self.order, place, place + length)


class MatFile:
    """A MATLAB v5 file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Attributes
    ----------
    variables : dict of str to Variable
        By name.

    Raises
    ------
    ReadError
        If it is none, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ReadError(f"{path.name} can not be mapped: {error}.") from error
        mark = self._data[126:128]
        if len(self._data) < HEADER_BYTES or mark not in (b"IM", b"MI"):
            raise ReadError(
                f"{path.name} is no MATLAB v5 file: bytes 126-127 are {mark!r}, "
                "expected b'IM'. It was cut short, or is of another kind."
            )
        self._order = "<" if mark == b"IM" else ">"
        self.variables: dict[str, Variable] = {}
        self._unpacked: dict[str, NDArray[Any]] = {}
        self._unpacking = threading.Lock()
        try:
            self._scan()
        except (_Damaged, zlib.error) as error:
            raise self._error("", error) from error

    def _error(self, name: str, error: Exception) -> ReadError:
        place = f", {name}" if name else ""
        return ReadError(
            f"{self.path.name}{place}: {error}. The file is damaged; copy it again "
            "from where it was recorded."
        )

    def _scan(self) -> None:
        cursor = _Cursor(self._data, self._order, HEADER_BYTES, len(self._data))
        while cursor.at < cursor.stop and len(self.variables) < MAX_VARIABLES:
            kind, place, length = cursor.tag()
            packed = kind == _COMPRESSED
            if not packed and kind != _MATRIX:
                raise _Damaged(f"an element of type {kind} at byte {place}")
            inner = _Cursor(self._data, self._order, place, place + length)
            if packed:
                start = zlib.decompressobj().decompress(
                    self._data[place : place + min(length, 4096)], 1024
                )
                inner = _Cursor(start, self._order, 8, len(start))
            code, shape, name, _ = inner.matrix_head()
            dtype = np.dtype(_CLASSES[code]).name if code in _CLASSES else ""
            self.variables[name] = Variable(name, shape, dtype, place, length, packed)

    def value(self, name: str) -> Any:
        """Return a variable: arrays, texts, lists (cells) and lists of dicts (structs).

        Raises
        ------
        ReadError
            If it is not there, or damaged.
        """
        variable = self._find(name)
        try:
            return _value(self._element(variable, MAX_VALUE_BYTES), 0)
        except (_Damaged, zlib.error) as error:
            raise self._error(name, error) from error

    def rows(self, name: str) -> NDArray[Any]:
        """Return a table of numbers as it is stored: the first axis is the last here.

        A view of the mapped file where it is not compressed.

        Returns
        -------
        numpy.ndarray
            Of the type in which it is stored, which may be a smaller one than the
            variable's.

        Raises
        ------
        ReadError
            If it is not there, no table of numbers, or has fewer than its shape says.
        """
        variable = self._find(name)
        if not variable.dtype:
            raise ReadError(f"{self.path.name}: {name} is no array of numbers.")
        with self._unpacking:
            if name in self._unpacked:
                return self._unpacked[name]
            try:
                limit = 8 * math.prod(variable.shape) + 4096
                cursor = self._element(variable, limit)
                cursor.matrix_head()
                numbers = cursor.numbers()
            except (_Damaged, zlib.error) as error:
                raise self._error(name, error) from error
            if numbers.size != math.prod(variable.shape):
                raise ReadError(
                    f"{self.path.name}: {name} claims shape {variable.shape}, but has "
                    f"{numbers.size} numbers. The file is damaged."
                )
            table = numbers.reshape(variable.shape[::-1])
            if variable.compressed:
                self._unpacked[name] = table
            return table

    def _find(self, name: str) -> Variable:
        if name not in self.variables:
            raise ReadError(
                f"{self.path.name} has no variable {name}; it has "
                f"{', '.join(list(self.variables)[:12])}."
            )
        return self.variables[name]

    def _element(self, variable: Variable, limit: int) -> _Cursor:
        """Return a cursor over a variable's matrix, unpacked to at most ``limit``."""
        start, stop = variable.offset, variable.offset + variable.n_bytes
        if not variable.compressed:
            return _Cursor(self._data, self._order, start, stop)
        if limit > 1100 * variable.n_bytes + 8192:  # more than zlib can ever pack
            limit = 1100 * variable.n_bytes + 8192
        content = zlib.decompressobj().decompress(self._data[start:stop], limit)
        if len(content) < 8:
            raise _Damaged("nothing is in it")
        length = struct.unpack_from(self._order + "II", content)[1]
        return _Cursor(content, self._order, 8, min(len(content), 8 + length))


def _value(cursor: _Cursor, depth: int) -> Any:
    """Return the matrix at a cursor as Python value."""
    if depth > MAX_DEPTH:
        raise _Damaged(f"structs within structs more than {MAX_DEPTH} deep")
    if cursor.at == cursor.stop:
        return _EMPTY
    code, shape, _, is_complex = cursor.matrix_head()
    if code in _CLASSES:
        numbers = cursor.numbers()
        if numbers.size != math.prod(shape):
            raise _Damaged(f"{numbers.size} numbers for shape {shape}")
        if is_complex:
            return None
        array = numbers.reshape(shape, order="F")
        return array.astype(np.dtype(_CLASSES[code]))
    if code == _CHAR:
        return _text(cursor, math.prod(shape))
    if code == _CELL:
        _check_count(cursor, math.prod(shape), 8)
        return [_value(cursor.inner(), depth + 1) for _ in range(math.prod(shape))]
    if code in (_STRUCT, _OBJECT):
        if code == _OBJECT:
            cursor.text()
        return _structs(cursor, math.prod(shape), depth)
    return None


def _structs(cursor: _Cursor, n: int, depth: int) -> list[dict[str, Any]]:
    sizes = cursor.numbers()
    length = int(sizes[0]) if sizes.size else 0
    names_raw = cursor.numbers().tobytes()
    if length < 1 or len(names_raw) % length:
        raise _Damaged(f"field names of {length} letters in {len(names_raw)} bytes")
    names = [
        names_raw[i : i + length].split(b"\0")[0].decode("latin-1")
        for i in range(0, len(names_raw), length)
    ]
    _check_count(cursor, n * max(1, len(names)), 8 if names else 0)
    return [
        {name: _value(cursor.inner(), depth + 1) for name in names}
        for _ in range(n if names else min(n, 1))
    ]


def _check_count(cursor: _Cursor, n: int, n_bytes: int) -> None:
    if n * n_bytes > cursor.stop - cursor.at:
        raise _Damaged(f"{n} elements in {cursor.stop - cursor.at} bytes")


def _text(cursor: _Cursor, n: int) -> str:
    if cursor.at == cursor.stop:
        return ""
    kind, place, length = cursor.tag()
    raw = bytes(cursor.data[place : place + length])
    encodings = {16: "utf-8", 17: "utf-16", 18: "utf-32", 4: "utf-16"}
    encoding = encodings.get(kind, "latin-1")
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if cursor.order == "<" else "-be"
    return raw.decode(encoding, "replace")[:n].replace("\x00", "")
