"""Scanbox files: frames in ``.sbx``, what they are in the ``.mat`` beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.blocks.arrays import array_items
from napari_mesmerize.io.blocks.buffers import inverted
from napari_mesmerize.io.items import Item, check_file, positive, warn
from napari_mesmerize.io.matlab.mat5 import MatFile
from napari_mesmerize.io.matlab.mat73 import Mat73File

MAX_SIDE = 100_000


def scan(path: Path, *, invert: bool = True) -> list[Item]:
    """Return the channels of a Scanbox recording.

    Parameters
    ----------
    path : pathlib.Path
        The ``.sbx`` file; a ``.mat`` file of the same stem lies beside it.
    invert : bool, optional
        Turn stored values into brightness (65535 - stored). False returns them as
        they are stored.

    Raises
    ------
    ReadError
        If a file is missing, damaged or does not fit the other.
    """
    size = check_file(path)
    info = _read_info(path)
    rows, columns = _sides(info, path)
    n_channels = _channels(info)
    frame_bytes = rows * columns * n_channels * 2
    n_frames = size // frame_bytes
    if n_frames == 0:
        raise ReadError(
            f"{path.name} has {size} bytes, less than one frame of {rows} x {columns} "
            f"pixels and {n_channels} channels; its .mat file is of another recording, "
            "or the copy stopped."
        )
    if size % frame_bytes:
        warn(
            f"{path.name} ends within a frame; opened the {n_frames} whole frames of "
            f"{rows} x {columns} pixels, {n_channels} channels."
        )
    n_planes = _planes(info)
    n_volumes = n_frames // n_planes
    notes = []
    if n_volumes == 0:
        n_planes, n_volumes = 1, n_frames
    if n_volumes * n_planes != n_frames:
        notes.append(
            f"The last {n_frames - n_volumes * n_planes} frames make no whole volume "
            f"of {n_planes} planes and are left out."
        )
    shape: tuple[int, ...] = (n_volumes, n_planes, rows, columns, n_channels)
    axes = "TZYXC"
    if n_planes == 1:
        shape, axes = (n_volumes, rows, columns, n_channels), "TYXC"
    size_um = _pixel_size(info)
    return array_items(
        _Stored(path, shape, invert),
        name=path.stem,
        axes=axes,
        opener=lambda: _Stored(path, shape, invert),
        meta={"scanbox": info},
        notes=tuple(notes),
        channels=("green", "red") if n_channels == 2 else (),
        frame_rate=_rate(info, rows, n_planes),
        pixel_size_um=size_um,
        origin="Scanbox",
    )


class _Stored:
    """The mapped file."""

    def __init__(self, path: Path, shape: tuple[int, ...], invert: bool) -> None:
        self._mapped = np.asarray(np.memmap(path, "<u2", "r", 0, shape))
        self._invert = invert
        self.shape = shape
        self.dtype = np.dtype(np.uint16)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        block: NDArray[Any] = self._mapped[key]
        return inverted(block) if self._invert else block


def _read_info(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".mat")
    if not beside.is_file():
        raise ReadError(
            f"{path.name} needs {beside.name} beside it, which says how many rows, "
            "columns and channels there are; copy both files."
        )
    try:
        content = MatFile(beside)
    except ReadError:
        content = _newer(beside)
    if "info" not in content.variables:
        raise ReadError(f"{beside.name} has no struct 'info', as Scanbox writes.")
    info = _plain(content.value("info"))
    if not isinstance(info, dict):
        raise ReadError(f"{beside.name} has no struct 'info', as Scanbox writes.")
    return info


def _newer(path: Path) -> Any:
    """Open a MATLAB file of version 7.3, or say what is wrong with the older one."""
    with path.open("rb") as stream:
        newer = stream.read(19) == b"MATLAB 7.3 MAT-file"
    return Mat73File(path) if newer else MatFile(path)


def _plain(value: Any) -> Any:
    """Return a MATLAB value as Python's own; arrays of one element as this element."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.item() if value.size == 1 else value.squeeze().tolist()
    if isinstance(value, list):
        return _plain(value[0]) if len(value) == 1 else [_plain(item) for item in value]
    return value


def _sides(info: Mapping[str, Any], path: Path) -> tuple[int, int]:
    sz = info.get("sz")
    sides = [positive(side) for side in sz] if isinstance(sz, list) else []
    if len(sides) != 2 or not all(side and side < MAX_SIDE for side in sides):
        raise ReadError(
            f"{path.with_suffix('.mat').name} says sz={sz!r}, expected [rows, columns]."
        )
    return int(sides[0] or 0), int(sides[1] or 0)


def _channels(info: Mapping[str, Any]) -> int:
    chan = info.get("chan")
    stored = positive(chan.get("nchan")) if isinstance(chan, Mapping) else None
    if stored is not None:
        return max(1, min(int(stored), 4))
    return 2 if info.get("channels", 2) == 1 else 1


def _planes(info: Mapping[str, Any]) -> int:
    """Return planes of a volume, the third of ``otparam``; 1 without volumes."""
    wave = info.get("otwave")
    if info.get("volscan") not in (1, True):
        return 1
    parameters = info.get("otparam")
    if isinstance(parameters, list) and len(parameters) > 2:
        return max(1, int(positive(parameters[2]) or 1))
    return max(1, len(wave)) if isinstance(wave, list) else 1


def _rate(info: Mapping[str, Any], rows: int, n_planes: int) -> float | None:
    """Return the rate: lines per second by lines per frame, by planes.

    The mirror scans ``resfreq`` lines per second, twice as many in both directions
    (``scanmode`` 0).
    """
    resonant = positive(info.get("resfreq"))
    if resonant is None:
        return None
    both = info.get("scanmode") == 0
    lines = positive(info.get("recordsPerBuffer")) or rows
    if both and lines * 2 == rows:
        lines = rows  # a record holds two lines then
    return resonant * (2 if both else 1) / lines / n_planes


def _pixel_size(info: Mapping[str, Any]) -> tuple[float, float] | None:
    y, x = positive(info.get("dycal")), positive(info.get("dxcal"))
    return (y, x) if y and x else None
