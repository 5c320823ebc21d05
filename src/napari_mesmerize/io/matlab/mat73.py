"""MATLAB v7.3 (HDF5) files, as far as re-saved ``.mes`` files need them."""

import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError, reading
from napari_mesmerize.io.hdf5 import open_hdf5
from napari_mesmerize.io.matlab.mat5 import MAX_DEPTH, Variable

_MAX_VALUES = 10**7
_MAX_PARTS = 10**5
_TABLE = "DATA"


class Mat73File:
    """A MATLAB v7.3 file; the same methods as :class:`~.mat5.MatFile`.

    Parameters
    ----------
    path : pathlib.Path
        The file. Variables may lie at its top or in a struct called ``DATA``.

    Raises
    ------
    ReadError
        If it is no HDF5 file, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_hdf5(path)
        self._places: dict[str, Any] = {}
        self._n_values = 0
        self.variables: dict[str, Variable] = {}
        with reading(path, "MATLAB v7.3"):
            self._collect(self._file)
            if isinstance(self._file.get(_TABLE), h5py.Group):
                self._collect(self._file[_TABLE])

    def _collect(self, group: Any) -> None:
        for name in group:
            if not isinstance(name, str) or name.startswith("#") or name == _TABLE:
                continue
            found = self._follow(group[name])
            shape = tuple(reversed(found.shape)) if _is_data(found) else ()
            numbers = _is_data(found) and found.dtype.kind in "buif"
            dtype = str(found.dtype) if numbers else ""
            self._places[name] = found
            self.variables[name] = Variable(name, shape, dtype, 0, 0, False)

    def _follow(self, found: Any) -> Any:
        """Return what a data set of one reference points to."""
        for _ in range(MAX_DEPTH):
            if not _is_references(found) or found.size != 1:
                return found
            found = self._file[np.asarray(found[()]).ravel()[0]]
        return found

    def value(self, name: str) -> Any:
        """Return a variable, as :meth:`.mat5.MatFile.value` does."""
        if name not in self._places:
            raise ReadError(f"{self.path.name} has no variable {name}.")
        with reading(self.path, f"MATLAB v7.3, variable {name}"):
            self._n_values = 0
            return self._value(self._places[name], 0)

    def rows(self, name: str) -> "_Rows":
        """Return a table of numbers, the first axis last; read when indexed."""
        if not _is_data(self._places.get(name)):
            raise ReadError(f"{self.path.name} has no array {name}.")
        return _Rows(self.path, self._places[name])

    def _value(self, found: Any, depth: int) -> Any:
        self._n_values += 1
        if depth > MAX_DEPTH or self._n_values > _MAX_PARTS:
            raise ReadError(f"{self.path.name}: structs too deep, or in circles")
        found = self._follow(found)
        if isinstance(found, h5py.Group):
            return self._structs(found, depth)
        if not _is_data(found) or found.size > _MAX_VALUES:
            return None
        if found.attrs.get("MATLAB_empty", 0):
            return "" if _class(found) == "char" else np.empty((0, 0))
        if _is_references(found):
            links = np.asarray(found[()]).T.ravel(order="F")
            return [self._value(self._file[link], depth + 1) for link in links]
        content = np.asarray(found[()])
        if _class(found) == "char":
            return "".join(chr(int(code)) for code in content.ravel() if code)
        return content.T

    def _structs(self, group: Any, depth: int) -> list[dict[str, Any]]:
        """Return a struct (array): fields are data sets, or references for each."""
        fields: dict[str, Any] = {name: group[name] for name in group}
        many = [f for f in fields.values() if _is_references(f) and f.size > 1]
        same = len({f.size for f in many}) == 1 and len(many) == len(fields)
        if not same or any(_class(f) == "cell" for f in many):
            return [{k: self._value(f, depth + 1) for k, f in fields.items()}]
        links = {k: np.asarray(f[()]).T.ravel(order="F") for k, f in fields.items()}
        return [
            {
                k: self._value(self._file[link[i]], depth + 1)
                for k, link in links.items()
            }
            for i in range(many[0].size)
        ]


class _Rows:
    """Rows of a data set; a lock keeps readers apart."""

    def __init__(self, path: Path, data: Any) -> None:
        self._path = path
        self._data = data
        self._lock = threading.Lock()
        self.shape = tuple(int(size) for size in data.shape)
        self.dtype = data.dtype

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        with reading(self._path, "MATLAB v7.3"), self._lock:
            return np.asarray(self._data[rows])


def _is_data(found: Any) -> bool:
    return isinstance(found, h5py.Dataset) and found.shape is not None


def _is_references(found: Any) -> bool:
    return isinstance(found, h5py.Dataset) and found.dtype.kind == "O"


def _class(found: Any) -> str:
    name = found.attrs.get("MATLAB_class", b"")
    return name.decode() if isinstance(name, bytes) else str(name)
