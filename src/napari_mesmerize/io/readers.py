"""Which reader opens which files, by suffix."""

import importlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from napari_mesmerize.errors import ParameterError, ReadError, reading
from napari_mesmerize.io.items import Item, Series
from napari_mesmerize.io.paths import suffix_of


class Reader(NamedTuple):
    """A format: its title, and the module whose ``scan`` lists what a file holds.

    ``scan(path, **options) -> list[Item]`` reads headers only; ``axes`` is one of its
    options where axes can be named.
    """

    title: str
    module: str

    def scan(self, path: Path, **options: Any) -> list[Item]:
        """List the recordings in a file.

        Raises
        ------
        ParameterError
            If the format has no such option.
        """
        function = importlib.import_module(self.module).scan
        known = [p for p in inspect.signature(function).parameters if p != "path"]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise ParameterError(
                f"Reading {self.title} files has no option '{unknown[0]}'; it has "
                f"{', '.join(known) or 'none'}."
            )
        return cast(list[Item], function(path, **options))


_IO = "napari_mesmerize.io"
_TIFF = Reader("TIFF", f"{_IO}.tiff.recording")
_HDF5 = Reader("HDF5", f"{_IO}.hdf5")
_ZARR = Reader("Zarr", f"{_IO}.ome_zarr.recording")
_VIDEO = Reader("video", f"{_IO}.video.recording")

READERS: dict[str, Reader] = {
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".btf": _TIFF,
    ".tf8": _TIFF,
    ".npy": Reader("NumPy", f"{_IO}.npy"),
    ".mesc": Reader("Femtonics MESc", f"{_IO}.femtonics.mesc"),
    ".isxd": Reader("Inscopix", f"{_IO}.inscopix.recording"),
    ".mes": Reader("Femtonics MES", f"{_IO}.femtonics.mes"),
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".hdf": _HDF5,
    ".he5": _HDF5,
    ".nwb": Reader("NWB", f"{_IO}.nwb.recording"),
    ".zarr": _ZARR,
    ".zarr.zip": _ZARR,
    ".sbx": Reader("Scanbox", f"{_IO}.scanbox"),
    ".lif": Reader("Leica LIF", f"{_IO}.lif"),
    ".avi": _VIDEO,
    ".mp4": _VIDEO,
    ".mkv": _VIDEO,
    ".mov": _VIDEO,
}

SUFFIXES = tuple(READERS)


def scan_file(path: Path, options: dict[str, Any]) -> list[Item]:
    """List the recordings in a file with the reader of its suffix.

    Raises
    ------
    ReadError
        If nothing is there, the suffix is unknown or the file damaged.
    """
    suffix = suffix_of(path, READERS)
    if not path.exists():
        raise ReadError(f"{path} does not exist; check the name and the folder.")
    if suffix is None:
        raise ReadError(
            f"{path.name} has no known suffix; known are {', '.join(READERS)}. Rename "
            "it to what it is, or export it as TIFF."
        )
    reader = READERS[suffix]
    try:
        with reading(path, reader.title):
            return reader.scan(path, **options)
    except ReadError as error:
        if path.name in str(error):
            raise
        raise ReadError(f"{path.name}: {error}") from error


def join_series(files: Sequence[Path]) -> Series:
    """Return files in the order of one series, by the rule of their format.

    A format whose files say when they start has a function ``join(files, items) ->
    Series``, with the first item of each file; those of others stay as they are.

    Raises
    ------
    ReadError
        If a file is damaged, or does not fit the others.
    """
    suffixes = {suffix_of(file, READERS) for file in files}
    suffix = suffixes.pop()
    if len(files) == 1 or suffixes or suffix is None:
        return Series(list(files))
    module = importlib.import_module(READERS[suffix].module)
    join: Callable[..., Series] | None = getattr(module, "join", None)
    if join is None:
        return Series(list(files))
    return join(files, [scan_file(file, {})[0] for file in files])
