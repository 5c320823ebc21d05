"""Records of Femtonics ``.mes`` files: the variables ``Df*`` that describe images."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.items import check_file, positive
from napari_mesmerize.io.matlab.mat5 import MatFile, Variable
from napari_mesmerize.io.matlab.mat73 import Mat73File

_RECORD = re.compile(r"df(\d{1,9})", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})\.? +(\d+):(\d+):(\d+)(?:[,.](\d+))?")
_HDF5_MARK = b"MATLAB 7.3 MAT-file"
_MAX_ITEMS = 1024

Mat = MatFile | Mat73File


@dataclass(frozen=True)
class Record:
    """What a file says of one image.

    Attributes
    ----------
    group : str
        Name of the variable, such as ``Df0001``.
    position : int
        Place in it.
    fields : mapping
        What the variable says.
    image : Variable or None
        The image's variable; None if the file does not hold it.
    """

    group: str
    position: int
    fields: Mapping[str, Any]
    image: Variable | None

    def text(self, name: str) -> str:
        """Return a field as text; empty if it has none."""
        value = self.fields.get(name)
        return value.strip() if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """Return a field that is one finite number; otherwise None."""
        return one_number(self.fields.get(name))

    def part(self, name: str) -> Mapping[str, Any]:
        """Return a field that is a struct; empty if it is none."""
        return one_struct(self.fields.get(name))

    @property
    def channel(self) -> str:
        """Name of the detector."""
        return self.text("Channel")

    @property
    def date(self) -> str | None:
        """Start, ISO 8601, in the time zone of the microscope."""
        match = _DATE.search(self.text("MeasurementDate"))
        if match is None:
            return None
        *whole, part = match.groups()
        micros = int(float(f"0.{part or 0}") * 1e6 + 0.5)
        try:
            moment = datetime(*map(int, whole), micros)  # type: ignore[arg-type,call-arg]
        except ValueError:
            return None
        return moment.isoformat(timespec="milliseconds")

    def pixel_size_um(self) -> tuple[float, float] | None:
        """Return (y, x); the height of folded movies and line scans is time."""
        folded = self.part("FoldedFrameInfo")
        if folded or self.text("HeightUnit") == "ms":
            height = one_number(folded.get("TransverseStep"))
            y = positive(height) or positive(self.number("TransverseStep"))
        else:
            y = positive(self.number("HeightStep"))
        x = positive(self.number("WidthStep"))
        return (y, x) if y and x else None

    def meta(self) -> dict[str, Any]:
        """Return the fields, JSON-safe; long ones as their shapes."""
        return {name: _plain(value) for name, value in self.fields.items()}


def one_number(value: Any) -> float | None:
    """Return a value that is one finite number; otherwise None."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "buif":
        number = float(value.reshape(-1)[0])
        return number if np.isfinite(number) else None
    return None


def one_struct(value: Any) -> Mapping[str, Any]:
    """Return a value that is a struct; otherwise an empty one."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return {}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.size == 1:
            return value.reshape(-1)[0].item()
        if value.size <= _MAX_ITEMS:
            return value.tolist()
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value[:_MAX_ITEMS]]
    return value


def open_mat(path: Path) -> Mat:
    """Open a ``.mes`` file: MATLAB v5, or saved again as v7.3.

    Raises
    ------
    ReadError
        If it is neither.
    """
    check_file(path)
    with path.open("rb") as stream:
        head = stream.read(len(_HDF5_MARK))
    return Mat73File(path) if head == _HDF5_MARK else MatFile(path)


def read_records(mat: Mat) -> list[list[Record]]:
    """Return the records of a file, those of one variable together.

    Raises
    ------
    ReadError
        If there are none, or they are damaged.
    """
    images = {name.lower(): v for name, v in mat.variables.items()}
    numbered = [(_RECORD.fullmatch(name), name) for name in mat.variables]
    names = sorted((int(match[1]), name) for match, name in numbered if match)
    if not names:
        raise ReadError(
            f"{mat.path.name} is a MATLAB file without the variables Df0001, ... that "
            f"a .mes file has; it has {', '.join(list(mat.variables)[:8]) or 'none'}."
        )
    groups = []
    for number, name in names:
        value = mat.value(name)
        rows = value if isinstance(value, list) else []
        groups.append(
            [
                Record(name, i, row, _image(row, number, i, images))
                for i, row in enumerate(rows)
                if isinstance(row, dict)
            ]
        )
    return groups


def _image(
    row: Mapping[str, Any], number: int, position: int, images: Mapping[str, Variable]
) -> Variable | None:
    """Return the image that a record names; without a name, the one at its place."""
    for field in ("IMAGE", "ImageName"):
        name = row.get(field)
        if isinstance(name, str) and name.strip():
            return images.get(name.strip().lower())
    return images.get(f"if{number:04d}_{position + 1:04d}")
