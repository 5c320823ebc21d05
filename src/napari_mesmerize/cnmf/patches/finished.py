"""Finished patches on disk, so that a run that was killed goes on from there.

A patch is one ``.npz`` file: a description in JSON, and the numbers by type. Nothing in
it is code.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell, View
from napari_mesmerize.cnmf.patches.recipe import PatchResult
from napari_mesmerize.cnmf.refine.background import LowRank
from napari_mesmerize.cnmf.refine.noise import PixelStatistics
from napari_mesmerize.compute.resume import STATE, UnfinishedWork
from napari_mesmerize.errors import WriteError

_KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (PatchResult, Cell, View, PixelStatistics, LowRank)
}
_FORMAT = "napari-mesmerize unfinished extraction"
_OURS = ("patch-*.npz", "patch-*.tmp", ".*.tmp*")  # what was cut off while written, too


class FinishedPatches:
    """A folder of finished patches.

    Parameters
    ----------
    folder : Path
        Made where it is missing, beside what is there.
    key : str
        What identifies the work; patches of other work are removed.

    Raises
    ------
    WriteError
        If the folder can not be written, or holds something else.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self._work = UnfinishedWork(folder, key, "the extraction")
        known = self._work.state.get("format") == _FORMAT
        if folder.exists() and not known and any(folder.iterdir()):
            raise WriteError(
                f"{folder} holds other files; name a new or empty folder for the "
                "patches that are finished."
            )
        if not folder.absolute().parent.is_dir():
            raise WriteError(
                f"The folder {folder.absolute().parent} does not exist; make it first "
                "or choose another."
            )
        with self._work.writing("the folder"):
            folder.mkdir(exist_ok=True)
            if not self._work.is_the_same:
                self._clear()
                self._work.note(format=_FORMAT)

    def load(self, number: int) -> PatchResult | None:
        """Return what was found in a patch; ``None`` where it is not finished."""
        numbers = self._work.load(_name(number))
        try:
            if numbers is None:
                return None
            found = _restored(json.loads(numbers.pop("tree").tobytes()), numbers)
        except (ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, PatchResult) else None

    def save(self, number: int, result: PatchResult) -> None:
        """Keep what was found in a patch; on disk, whole, when this returns."""
        parts: dict[str, list[NDArray[Any]]] = {}
        tree = json.dumps(_described(result, parts)).encode()
        arrays = {name: np.concatenate(some) for name, some in parts.items()}
        arrays["tree"] = np.frombuffer(tree, np.uint8)
        with self._work.writing(f"patch {number + 1}"):
            self._work.save(_name(number), arrays)

    def remove(self) -> None:
        """Remove what it holds, and the folder unless other files lie in it."""
        with self._work.writing("the end"):
            self._clear()
            (self.folder / STATE).unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _clear(self) -> None:
        for pattern in _OURS:
            for path in self.folder.glob(pattern):
                path.unlink()


def _name(number: int) -> str:
    return f"patch-{number:06d}"


def _described(value: Any, parts: dict[str, list[NDArray[Any]]]) -> Any:
    """Return a JSON description of a value; its arrays are added to ``parts``."""
    if isinstance(value, np.ndarray):
        pieces = parts.setdefault(value.dtype.str, [])
        pieces.append(np.ascontiguousarray(value).ravel())
        return {"array": value.dtype.str, "shape": list(value.shape)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        if _KINDS.get(name) is not type(value):
            raise TypeError(f"finished patches can not hold a {name}")
        fields = {
            item.name: _described(getattr(value, item.name), parts)
            for item in dataclasses.fields(value)
        }
        return {"kind": name, "fields": fields}
    if isinstance(value, list | tuple):
        return {"list": [_described(item, parts) for item in value]}
    if isinstance(value, Mapping):
        return {"map": {str(k): _described(v, parts) for k, v in value.items()}}
    return {"value": value.item() if isinstance(value, np.generic) else value}


def _restored(tree: Any, numbers: dict[str, NDArray[Any]]) -> Any:
    """Return the value that :func:`_described` described, arrays read in its order."""
    taken = dict.fromkeys(numbers, 0)

    def one(node: Any) -> Any:
        if "array" in node:
            name, shape = node["array"], tuple(node["shape"])
            start = taken[name]
            stop = start + int(np.prod(shape))
            taken[name] = stop
            return numbers[name][start:stop].reshape(shape).copy()
        if "kind" in node:
            fields = {name: one(item) for name, item in node["fields"].items()}
            return _KINDS[node["kind"]](**fields)
        if "list" in node:
            return [one(item) for item in node["list"]]
        if "map" in node:
            return {name: one(item) for name, item in node["map"].items()}
        return node["value"]

    return one(tree)
