"""NumPy files that hold Python objects, read without running what is in them."""

import datetime
import io
import pathlib
import pickle  # only to derive the restricted reader below
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from napari_mesmerize.errors import DAMAGE, ReadError, reading

_MAX_OBJECTS_BYTES = 2**33
_HEADER_READERS = frozenset({"numpy", "ast"})
_REMEDY = "Copy it again from where it was made, or save it anew there."


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Return bytes that an old pickle stored as text."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"text encoded as {encoding!r}")
    return text.encode("latin1")


# How numpy rebuilds arrays and numbers; the functions' modules were renamed in numpy 2.
_REBUILD: Any = np.empty(1).__reduce__()[0]
_SCALAR: Any = np.float64(1).__reduce__()[0]
_FROM_BUFFER: Any = np.empty(2).__reduce_ex__(5)[0]
_NUMPY: dict[str, Any] = {
    "multiarray._reconstruct": _REBUILD,
    "multiarray.scalar": _SCALAR,
    "numeric._frombuffer": _FROM_BUFFER,
}
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("datetime", "datetime"): datetime.datetime,
    ("datetime", "date"): datetime.date,
    ("datetime", "time"): datetime.time,
    ("datetime", "timedelta"): datetime.timedelta,
    ("datetime", "timezone"): datetime.timezone,
    ("_codecs", "encode"): _latin1,
    **{
        ("builtins", kind.__name__): kind
        for kind in (set, frozenset, complex, slice, bytearray, range)
    },
    # Paths of another system can not be made as such here: keep their text and rules.
    **{
        (module, name): pure
        for module in ("pathlib", "pathlib._local")
        for name, pure in {
            "PosixPath": pathlib.PurePosixPath,
            "PurePosixPath": pathlib.PurePosixPath,
            "WindowsPath": pathlib.PureWindowsPath,
            "PureWindowsPath": pathlib.PureWindowsPath,
        }.items()
    },
}


class _DataOnly(pickle.Unpickler):
    """Rebuilds arrays, numbers, text, times and paths; refuses all else.

    A pickle is a program. Suite2p and Cellpose keep their results as pickles, so that a
    reader of theirs is needed; this one calls nothing but the few constructors of plain
    data above, whatever a file asks for.
    """

    def find_class(self, module: str, name: str) -> Any:
        for core in ("numpy.core.", "numpy._core."):
            known = _NUMPY.get(f"{module}.{name}".removeprefix(core))
            if known is not None and module.startswith(core):
                return known
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is no plain data"
            ) from None


def load_array(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` file of numbers; what its header claims is checked first.

    Raises
    ------
    ReadError
        If it is missing, damaged, or holds objects.
    """
    with _reading(path):
        shape, fortran, dtype, start = _header(path)
        if dtype.hasobject:
            raise ReadError(f"{path} holds Python objects, expected numbers.")
        count = int(np.prod(shape, dtype=object)) if shape else 1
        there = path.stat().st_size - start
        if count * dtype.itemsize > there:
            raise ReadError(
                f"{path} is cut off: its header says shape {shape} of {dtype}, "
                f"{count * dtype.itemsize} bytes, but {there} are there. Copy it again."
            )
        values = np.fromfile(path, dtype, count=count, offset=start)
        return values.reshape(shape, order="F" if fortran else "C")


def load_objects(path: Path) -> Any:
    """Read a ``.npy`` file of Python objects, of plain data only.

    Returns
    -------
    object
        The array; a single object (such as a dict) as itself.

    Raises
    ------
    ReadError
        If it is missing, damaged, or asks for anything but plain data.
    """
    with _reading(path):
        shape, _, dtype, start = _header(path)
        if not dtype.hasobject:
            return load_array(path)
        if path.stat().st_size > _MAX_OBJECTS_BYTES:
            raise ReadError(f"{path} holds more than 8 GiB of objects; split it.")
        with path.open("rb") as file:
            file.seek(start)
            found = _rebuilt(path, file.read())
        if isinstance(found, np.ndarray) and found.shape != tuple(shape):
            raise ReadError(f"{path} is damaged: shape {found.shape}, said {shape}.")
        if isinstance(found, np.ndarray) and found.shape == ():
            return found.item()
        return found


def _header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    with path.open("rb") as file:
        version = npy_format.read_magic(file)
        read: Callable[[Any], Any] = (
            npy_format.read_array_header_1_0
            if version == (1, 0)
            else npy_format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
        if any(size < 0 for size in shape):
            raise ReadError(f"{path} is damaged: its header says shape {shape}.")
        return tuple(shape), bool(fortran), dtype, file.tell()


def _rebuilt(path: Path, content: bytes) -> Any:
    """Return the object that a pickle describes.

    It is rebuilt in C, where damaged bytes raise errors of many kinds; sizes that they
    claim beyond those of the file are no full memory.
    """
    try:
        return _DataOnly(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, *DAMAGE) as error:
        raise ReadError(_damaged(path, error)) from error
    except MemoryError as error:
        if 64 * len(content) < psutil.virtual_memory().available:
            raise ReadError(_damaged(path, error)) from error
        raise


def _damaged(path: Path, error: BaseException) -> str:
    why = str(error).rstrip(".") or type(error).__name__
    return f"{path} can not be read as a NumPy file: {why}. {_REMEDY}"


def _reading(path: Path) -> reading:
    """Return what translates errors of numpy over a file that is there."""
    if not path.is_file():
        raise ReadError(f"{path} is missing.")
    return reading(path, "a NumPy file", remedy=_REMEDY, libraries=_HEADER_READERS)
