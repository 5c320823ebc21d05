"""Finished patches on disk, so that a run that was killed goes on from there.

A patch is one ``.npz`` file: a description in JSON, and the numbers by type. Nothing in
it is code.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell, View
from napari_mesmerize.cnmf.patches.recipe import PatchResult
from napari_mesmerize.cnmf.refine.background import LowRank
from napari_mesmerize.cnmf.refine.noise import PixelStatistics
from napari_mesmerize.errors import WriteError
from napari_mesmerize.history import json_safe

_KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (PatchResult, Cell, View, PixelStatistics, LowRank)
}
_STATE = "state.json"
_FORMAT = "napari-mesmerize unfinished extraction"


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
        state = _read_state(folder / _STATE)
        if folder.exists() and state is None and any(folder.iterdir()):
            raise WriteError(
                f"{folder} holds other files; name a new or empty folder for the "
                "patches that are finished."
            )
        if not folder.absolute().parent.is_dir():
            raise WriteError(
                f"The folder {folder.absolute().parent} does not exist; make it first "
                "or choose another."
            )
        with self._writing("the folder"):
            folder.mkdir(exist_ok=True)
            if (state or {}).get("key") != key:
                self._clear()
                text = json.dumps({"format": _FORMAT, "key": key})
                _write(folder / _STATE, text.encode())

    def load(self, number: int) -> PatchResult | None:
        """Return what was found in a patch; ``None`` where it is not finished."""
        try:
            with np.load(self._path(number), allow_pickle=False) as stored:
                numbers = {name: stored[name] for name in stored.files}
            found = _restored(json.loads(numbers.pop("tree").tobytes()), numbers)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            return None
        return found if isinstance(found, PatchResult) else None

    def save(self, number: int, result: PatchResult) -> None:
        """Keep what was found in a patch; on disk, whole, when this returns."""
        parts: dict[str, list[NDArray[Any]]] = {}
        tree = json.dumps(_described(result, parts)).encode()
        arrays = {name: np.concatenate(some) for name, some in parts.items()}
        arrays["tree"] = np.frombuffer(tree, np.uint8)
        path = self._path(number)
        unfinished = path.with_suffix(".tmp")
        with self._writing(f"patch {number + 1}"):
            with unfinished.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            os.replace(unfinished, path)

    def remove(self) -> None:
        """Remove the folder and what it holds."""
        with self._writing("the end"):
            self._clear()
            (self.folder / _STATE).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something else lies in it
                self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / f"patch-{number:06d}.npz"

    def _clear(self) -> None:
        for pattern in ("patch-*.npz", "patch-*.tmp"):
            for path in self.folder.glob(pattern):
                path.unlink()

    @contextlib.contextmanager
    def _writing(self, what: str) -> Any:
        try:
            yield
        except OSError as error:
            raise WriteError(
                f"Writing {what} of the unfinished extraction in {self.folder} failed: "
                f"{error}. Make room or choose another folder, and run the same again: "
                "it goes on from the patches that are finished."
            ) from error


def _read_state(path: Path) -> dict[str, Any] | None:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(state, dict) and state.get("format") == _FORMAT
    return state if known else None


def _write(path: Path, text: bytes) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(text)
    os.replace(unfinished, path)


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


def work_key(facts: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> str:
    """Return a digest of what determines a result: facts and some arrays."""
    digest = hashlib.sha256(json.dumps(json_safe(facts), sort_keys=True).encode())
    for array in arrays:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
