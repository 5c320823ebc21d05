"""The container of Inscopix ``.isxd`` files: data, a JSON footer, its length."""

import functools
import json
import mmap
import struct
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.atomic import open_whole
from napari_mesmerize.errors import ReadError
from napari_mesmerize.history import versions
from napari_mesmerize.io.items import check_file

MOVIE, CELL_SET, BEHAVIOUR, GPIO, IMAGE, EVENTS, METRICS, IMU, VESSEL_SET = range(9)
TITLES = (
    "a movie",
    "a cell set",
    "a behaviour movie",
    "GPIO signals",
    "an image",
    "an event set",
    "metrics",
    "IMU signals",
    "a vessel set",
)
READS = {
    CELL_SET: "inscopix.results.read_cell_set",
    GPIO: "signals.read_signals",
    EVENTS: "inscopix.events.read_event_set",
    IMU: "signals.read_signals",
    VESSEL_SET: "inscopix.vessels.read_vessel_set",
}
PRODUCER = {"name": "isxcore", "version": [2, 0, 1]}
MAX_COUNT = 2**53
_LENGTH = struct.Struct("<Q")


class Footer:
    """The JSON text at the end of an ``.isxd`` file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    content : mapping
        The parsed JSON.
    n_bytes : int
        Bytes of data before it.
    """

    def __init__(self, path: Path, content: Mapping[str, Any], n_bytes: int) -> None:
        self.path = path
        self.content = content
        self.n_bytes = n_bytes
        self.type = self.integer("type", high=8)

    def get(self, *keys: str) -> Any:
        """Return what stands under nested keys; None if it is not there."""
        found: Any = self.content
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def integer(
        self,
        *keys: str,
        low: int = 0,
        high: int = MAX_COUNT,
        default: int | None = None,
    ) -> int:
        """Return a whole number within bounds.

        Raises
        ------
        ReadError
            If it is absent (and has no default), of another type or out of bounds.
        """
        value = self.get(*keys)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(keys, value, "a whole number")
        if not low <= value <= high:
            raise self.error(keys, value, f"{low} to {high}")
        return value

    def ratio(self, *keys: str) -> Fraction | None:
        """Return a number that is stored as num and den; None if it is not there."""
        value = self.get(*keys)
        if value is None:
            return None
        num, den = self.get(*keys, "num"), self.get(*keys, "den")
        whole = all(isinstance(n, int) and abs(n) <= 2**63 for n in (num, den))
        if not whole or den == 0:
            raise self.error(keys, value, "num and den, den not 0")
        return Fraction(num, den)

    def integers(self, *keys: str) -> list[int]:
        """Return a list of whole numbers; empty if it is not there."""
        value = self.get(*keys)
        if value is None:
            return []
        if not isinstance(value, list) or not all(type(v) is int for v in value):
            raise self.error(keys, value, "a list of whole numbers")
        return value

    def texts(self, *keys: str) -> list[str]:
        """Return a list of texts; empty if it is not there."""
        value = self.get(*keys)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.error(keys, value, "a list of texts")
        return [text.encode("utf-8", "replace").decode() for text in value]

    def image_shape(self) -> tuple[int, int]:
        """Return (height, width)."""
        height, width = (
            self.integer("spacingInfo", "numPixels", axis, low=1, high=2**20)
            for axis in "yx"
        )
        return height, width

    def pixel_size_um(self) -> tuple[float, float] | None:
        """Return (y, x), micrometres; None if unknown."""
        y, x = (self.ratio("spacingInfo", "pixelSize", axis) for axis in "yx")
        return (float(y), float(x)) if y and x and y > 0 and x > 0 else None

    def expect(self, *types: int) -> None:
        """Raise ``ReadError`` if the file is of another type."""
        if self.type not in types:
            wanted = " or ".join(TITLES[kind] for kind in types)
            reader = READS.get(self.type)
            advice = f"Read it with napari_mesmerize.io.{reader}." if reader else ""
            raise ReadError(
                f"{self.path.name} is {TITLES[self.type]}, expected {wanted}. {advice}"
            )

    def expect_bytes(self, n_bytes: int, what: str) -> None:
        """Raise ``ReadError`` if the file holds less data than its footer claims."""
        if n_bytes > self.n_bytes:
            raise ReadError(
                f"{self.path.name} claims {what}, which take {n_bytes} bytes, and "
                f"holds {self.n_bytes}. The file is damaged; copy it again from where "
                "it was recorded."
            )

    def error(self, keys: Iterable[str], value: Any, expected: str) -> ReadError:
        """Return the error that says that a value of the footer is wrong."""
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:60] + "..."
        return ReadError(
            f"{self.path.name}: its footer has {'.'.join(keys)} = {shown}, expected "
            f"{expected}. The file is damaged or of an unknown version."
        )

    @functools.cached_property
    def data(self) -> mmap.mmap:
        """The file, mapped for reading."""
        try:
            with self.path.open("rb") as stream:
                return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ReadError(f"{self.path.name} can not be mapped: {error}.") from error

    def array(
        self, dtype: Any, shape: tuple[int, ...], offset: int = 0
    ) -> NDArray[Any]:
        """Return a part of the data as an array, mapped; its size must be checked."""
        return np.ndarray(shape, dtype, buffer=self.data, offset=offset)


def read_footer(path: str | Path) -> Footer:
    """Read the footer of an ``.isxd`` file, and nothing else.

    Raises
    ------
    ReadError
        If the file does not end as such a file does.
    """
    path = Path(path)
    size = check_file(path)
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, size - _LENGTH.size))
            tail = stream.read(_LENGTH.size)
            length = _LENGTH.unpack(tail)[0] if len(tail) == _LENGTH.size else 0
            n_bytes = size - _LENGTH.size - 1 - length
            if not 2 <= length <= size or n_bytes < 0:
                raise ReadError(
                    f"{path.name} does not end with a footer of {length} bytes, as "
                    f".isxd files do (it has {size}). It was cut short, or is of "
                    "another kind; copy it again from where it was recorded."
                )
            stream.seek(n_bytes)
            content = json.loads(stream.read(length))
    except (ValueError, RecursionError) as error:
        raise ReadError(
            f"{path.name} ends with no footer that can be read ({error}). It was cut "
            "short or is of another kind; copy it again from where it was recorded."
        ) from error
    if not isinstance(content, dict):
        raise ReadError(f"{path.name} has a footer that is no table; it is damaged.")
    return Footer(path, content, n_bytes)


def write_container(
    path: str | Path,
    blocks: Iterable[Any],
    content: Mapping[str, Any],
    *,
    overwrite: bool = False,
) -> Path:
    """Write data and footer, whole or not at all.

    Parameters
    ----------
    path : path
        The file to write.
    blocks : iterable of array or bytes
        The data, one after the other.
    content : mapping
        The footer; producer and writer are added.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Raises
    ------
    WriteError
        If the file is there already or can not be written; no half file stays.
    """
    path = Path(path)
    footer = dict(content) | {"producer": PRODUCER, "writer": _writer()}
    text = json.dumps(footer, indent=4, sort_keys=True, ensure_ascii=False)
    text_bytes = text.encode("utf-8", "replace")
    with open_whole(path, overwrite=overwrite) as stream:
        for block in blocks:
            stream.write(_as_bytes(block))
        stream.write(text_bytes + b"\0" + _LENGTH.pack(len(text_bytes)))
    return path


def _as_bytes(block: Any) -> Any:
    """Return a block of data as bytes, without a copy where it lies in order."""
    if isinstance(block, np.ndarray):
        return np.ascontiguousarray(block).reshape(-1).view(np.uint8).data
    return block


def _writer() -> str:
    return f"napari-mesmerize {versions().get('napari-mesmerize', '')}".strip()
