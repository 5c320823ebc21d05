"""Femtonics ``.mes`` files: folded line scans, images and z-stacks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.data.recording import Frames
from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.femtonics.mes_records import (
    Mat,
    Record,
    one_number,
    open_mat,
    read_records,
)
from napari_mesmerize.io.femtonics.mes_voltages import voltage_names
from napari_mesmerize.io.items import Item, RecordingInfo, kind_of, native, positive


def scan(path: Path, *, first_line: int | None = None) -> list[Item]:
    """Return the recordings in a ``.mes`` file, a channel each; reads no pixels.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    first_line : int, optional
        The line (counted from 1) at which the first frame of folded movies starts,
        where the file is wrong about it.

    Raises
    ------
    ReadError
        If it is no ``.mes`` file, or damaged.
    """
    mat = open_mat(path)
    items: list[Item] = []
    for records in read_records(mat):
        items += _group_items(mat, records, first_line)
    return items


def _group_items(
    mat: Mat, records: Sequence[Record], first_line: int | None
) -> list[Item]:
    """Return the items of the records of one variable."""
    stacks: dict[str, list[Record]] = {}
    items = []
    for record in records:
        if record.text("Context").lower() == "zstack" and not _is_folded(record):
            stacks.setdefault(record.channel, []).append(record)
        else:
            items.append(_item(mat, [record], records, first_line))
    return items + [_item(mat, planes, records, None) for planes in stacks.values()]


def _is_folded(record: Record) -> bool:
    return (
        positive(one_number(record.part("FoldedFrameInfo").get("numFrames")))
        is not None
    )


def _item(
    mat: Mat, planes: list[Record], records: Sequence[Record], first_line: int | None
) -> Item:
    """Return the item of one record, or of the planes of a stack."""
    record = planes[0]
    names = [r.channel for r in records if r.channel]
    single = len(planes) > 1 or names.count(record.channel) == 1
    key = record.channel if record.channel and single else str(record.position + 1)
    notes: tuple[str, ...] = ()
    rate = None
    shape: tuple[int, ...] = (0, 0, 0)
    problem = ""
    frames: Callable[[], Frames] = _refuse
    try:
        if _is_folded(record):
            place, notes = _folded(record, first_line)
            shape = place.shape
            frames = partial(FoldedFrames, mat, place)
            length = one_number(record.part("FoldedFrameInfo").get("frameTimeLength"))
            rate = 1000 / length if positive(length) and length else None
        else:
            shape = _image_shape(planes)
            images = [str(plane.image.name) for plane in planes if plane.image]
            frames = partial(ImageFrames, mat, images, shape)
    except ReadError as error:
        problem = str(error)
    info = RecordingInfo(
        selection=f"{record.group}/{key}",
        name=f"{mat.path.stem} {record.group} {record.channel}".strip(),
        shape=shape,
        dtype=(record.image.dtype if record.image else "") or "uint16",
        kind=_kind(record, shape),
        frame_rate=rate,
        pixel_size_um=record.pixel_size_um(),
        z_step_um=_z_step(planes),
        date=record.date,
        origin="Femtonics MES",
        channel=record.channel or None,
        problem=problem,
    )
    return Item(info, frames, meta=_meta(record, rate), notes=notes)


def _refuse() -> Frames:
    raise ReadError("this record can not be read")


def _meta(record: Record, rate: float | None) -> dict[str, Any]:
    folded = record.part("FoldedFrameInfo")
    range_ = record.part("LUTstruct")
    return {
        "mes": record.meta(),
        "comment": record.text("Comment"),
        "frame_period_ms": one_number(folded.get("frameTimeLength")) if rate else None,
        "t0_ms": one_number(folded.get("firstFrameStartTime")),
        "display_range": [one_number(range_.get(key)) for key in ("lower", "upper")],
        "voltages": voltage_names(record.fields),
    }


def _kind(record: Record, shape: tuple[int, ...]) -> str:
    line_scan = record.text("Type").lower().startswith("line")
    return "other" if 0 in shape or line_scan else kind_of(shape)


def _z_step(planes: Sequence[Record]) -> float | None:
    """Return the distance of planes: as recorded, else by their levels."""
    if len(planes) < 2:
        return None
    levels = [plane.number("Zlevel") for plane in planes]
    if all(level is not None for level in levels):
        steps = np.abs(np.diff(np.array(levels, float)))
        if (steps > 0).all():
            return float(np.median(steps))
    return positive(planes[0].number("D3Step"))


@dataclass(frozen=True)
class Folded:
    """Where the frames of a folded movie lie on its page.

    Attributes
    ----------
    image : str
        Name of the page's variable: all lines of all frames, one after the other.
    first : int
        Line at which the first frame starts, counted from 0.
    shape : tuple of int
        (n_frames, lines per frame, width).
    dtype : str
        Type of the values.
    """

    image: str
    first: int
    shape: tuple[int, int, int]
    dtype: str


def _folded(record: Record, first_line: int | None) -> tuple[Folded, tuple[str, ...]]:
    """Return where a folded movie lies, and what to tell the user.

    ``firstFramePos`` counts from 1 within the stored page.
    """
    width, n_lines = _page(record)
    info = record.part("FoldedFrameInfo")
    height = one_number(info.get("numFrameLines")) or record.number("TransversePixNum")
    claimed = one_number(info.get("numFrames")) or 0
    if not height or not 1 <= height <= n_lines:
        raise ReadError(
            f"{record.group} has {height} lines per frame, but {n_lines} lines in all"
        )
    notes = []
    first = one_number(info.get("firstFramePos")) if first_line is None else first_line
    if first is None or not 1 <= first <= n_lines:
        notes.append(
            f"{record.group}: firstFramePos={first} lies outside the {n_lines} lines "
            "of the page; frames were taken from its first line. Give first_line=... "
            "if they are shifted."
        )
        first = 1
    lines = int(height)
    whole = (n_lines - int(first) + 1) // lines
    if whole < claimed:
        notes.append(
            f"{record.group} claims {int(claimed)} frames, {whole} are in the file."
        )
    n_frames = int(min(claimed, whole))
    if n_frames < 1:
        raise ReadError(f"{record.group} holds no whole frame of {lines} lines")
    image = record.image
    place = Folded(
        image.name if image else "",
        int(first) - 1,
        (n_frames, lines, width),
        image.dtype if image else "",
    )
    return place, tuple(notes)


def _page(record: Record) -> tuple[int, int]:
    """Return (width, lines) of a record's image."""
    image = record.image
    if image is None:
        name = record.text("IMAGE") or record.text("ImageName")
        raise ReadError(f"{record.group}: its image '{name}' is not in the file")
    if len(image.shape) != 2 or 0 in image.shape or not image.dtype:
        raise ReadError(
            f"{record.group}: its image has shape {image.shape}, expected "
            "(width, lines)"
        )
    return image.shape[0], image.shape[1]


def _image_shape(planes: Sequence[Record]) -> tuple[int, ...]:
    """Return the shape of a recording of one image, or of a stack of them."""
    pages = {_page(plane) for plane in planes}
    if len(pages) > 1:
        raise ReadError(
            f"{planes[0].group}: planes differ in size: {sorted(pages)[:4]}"
        )
    width, height = pages.pop()
    return (1, len(planes), height, width) if len(planes) > 1 else (1, height, width)


class FoldedFrames:
    """Frames of a folded movie: views of its page where it is not compressed.

    Parameters
    ----------
    mat : MatFile or Mat73File
        The file.
    place : Folded
        Where they lie.
    """

    def __init__(self, mat: Mat, place: Folded) -> None:
        self._rows = mat.rows(place.image)
        self._first = place.first
        self.shape = place.shape
        self.dtype = np.dtype(place.dtype)
        self.mapped = self[:] if self._rows.dtype == self.dtype else None

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        start, stop, step = frames.indices(self.shape[0])
        stop = max(start, stop)
        height = self.shape[1]
        rows = self._rows[self._first + start * height : self._first + stop * height]
        block = rows.reshape(stop - start, height, self.shape[2])[::step]
        return native(block).astype(self.dtype, copy=False)


class ImageFrames:
    """One frame: an image, or the planes of a stack.

    Parameters
    ----------
    mat : MatFile or Mat73File
        The file.
    images : sequence of str
        Names of the variables, a plane each.
    shape : tuple of int
        (1, height, width) or (1, n_planes, height, width).
    """

    def __init__(self, mat: Mat, images: Sequence[str], shape: tuple[int, ...]) -> None:
        self._planes = [mat.rows(name) for name in images]
        self.shape = shape
        self.dtype = np.dtype(mat.variables[images[0]].dtype)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        if not len(range(*frames.indices(1))):
            return np.empty((0, *self.shape[1:]), self.dtype)
        images = [native(rows[0 : self.shape[-2]]) for rows in self._planes]
        block = np.stack(images).astype(self.dtype, copy=False)
        return block.reshape(self.shape)
