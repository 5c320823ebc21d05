"""Which files are meant: one, a list, a folder or a glob; and many as one recording."""

import glob
import os
import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.atomic import settle
from napari_mesmerize.data.recording import Frames
from napari_mesmerize.errors import ParameterError, ReadError

PathLike = str | os.PathLike[str]
_CHANNEL = re.compile(r"_Cycle\d+_(Ch\d+)_\d+(?:\.ome)?\.tiff?$", re.IGNORECASE)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return the sort key by which frame_2 comes before frame_10."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part.casefold())
        for part in re.split(r"(\d+)", str(path))
        if part
    ]


def suffix_of(path: Path, known: Collection[str]) -> str | None:
    """Return the longest known suffix of a file name, in lower case."""
    name = path.name.lower()
    fitting = [suffix for suffix in known if name.endswith(suffix)]
    return max(fitting, key=len, default=None)


def expand(path: PathLike | Sequence[PathLike], known: Collection[str]) -> list[Path]:
    """Return the files that are meant, in natural order.

    Parameters
    ----------
    path : path or sequence of paths
        A file, a folder (its files of the one known kind in it), a glob, or a list.
    known : collection of str
        Known suffixes.

    Raises
    ------
    ReadError
        If there is none, or a folder mixes kinds.
    """
    if not isinstance(path, str | os.PathLike):
        paths = [file for part in path for file in expand(part, known)]
        if not paths:
            raise ReadError("An empty list of files was given; name at least one.")
        return paths
    text = os.fspath(path)
    if text.startswith("file:"):
        text = url2pathname(unquote(urlparse(text).path))
    file = Path(text).expanduser()
    if not file.exists():
        settle(file)  # finishes what a killed writer was about to
    if file.is_dir() and suffix_of(file, known) is None:
        return _in_folder(file, known)
    if not file.exists() and any(mark in text for mark in "*?["):
        found = sorted(map(Path, glob.glob(str(file), recursive=True)), key=natural_key)
        if not found:
            raise ReadError(f"No file fits {text}; check the folder and the pattern.")
        return _of_one_channel(found)
    return [file]


def _in_folder(folder: Path, known: Collection[str]) -> list[Path]:
    kinds: dict[str, list[Path]] = {}
    for file in folder.iterdir():
        suffix = suffix_of(file, known)
        if suffix is not None and not file.name.startswith("."):
            family = {".tiff": ".tif"}.get(suffix, suffix)
            kinds.setdefault(family, []).append(file)
    if not kinds:
        raise ReadError(
            f"The folder {folder} holds no recording; known are {', '.join(known)}."
        )
    if len(kinds) > 1:
        counts = ", ".join(f"{len(files)} {kind}" for kind, files in kinds.items())
        raise ReadError(
            f"The folder {folder} holds files of several kinds ({counts}); name one "
            f"kind, for instance '{folder / ('*' + next(iter(kinds)))}'."
        )
    return _of_one_channel(sorted(next(iter(kinds.values())), key=natural_key))


def _of_one_channel(files: list[Path]) -> list[Path]:
    """Return the files, unless PrairieView wrote several channels side by side."""
    marks = [_CHANNEL.search(file.name) for file in files]
    channels = sorted({mark[1] for mark in marks if mark})
    if len(channels) > 1:
        raise ReadError(
            f"The files in {files[0].parent} are of {len(channels)} channels "
            f"({', '.join(channels)}), which do not follow each other; name one, for "
            f"instance '{files[0].parent / f'*_{channels[0]}_*'}'."
        )
    return files


class JoinedFrames:
    """Frames of several files, one after the other.

    Parameters
    ----------
    parts : sequence of Frames
        Frames of equal shape and type.
    names : sequence of str
        Where each comes from, for messages.

    Raises
    ------
    ReadError
        If frames differ in shape or type; names the first file that does.
    """

    def __init__(self, parts: Sequence[Frames], names: Sequence[str]) -> None:
        first = parts[0]
        for part, name in zip(parts, names, strict=True):
            came = (tuple(part.shape[1:]), np.dtype(part.dtype))
            expected = (tuple(first.shape[1:]), np.dtype(first.dtype))
            if came != expected:
                raise ReadError(
                    f"{name} has frames of shape {came[0]}, {came[1]}; the files "
                    f"before it, such as {names[0]}, have {expected[0]}, "
                    f"{expected[1]}. Files of one recording must agree: take it out of "
                    "the list or folder."
                )
        self._parts = list(parts)
        self._stops = list(accumulate(int(part.shape[0]) for part in parts))
        self.shape = (self._stops[-1], *first.shape[1:])
        self.dtype = np.dtype(first.dtype)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        start, stop, step = frames.indices(self.shape[0])
        wanted = range(start, stop, step)
        if step <= 0:
            raise ParameterError(f"step={step}; frames are read forwards.")
        if not wanted:
            return np.empty((0, *self.shape[1:]), self.dtype)
        blocks = []
        at = start
        while at < stop:
            number = bisect_right(self._stops, at)
            begin = self._stops[number - 1] if number else 0
            end = min(stop, self._stops[number])
            blocks.append(self._parts[number][at - begin : end - begin : step])
            at += step * -(-(end - at) // step)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
