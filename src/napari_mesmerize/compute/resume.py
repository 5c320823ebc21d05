"""Finished parts of long work on disk, so that a run that was stopped goes on there.

A folder holds ``state.json``, which says what work it is and how far it is, and parts:
each a ``.npz`` file of plain arrays that is written whole. Nothing in it is code.
"""

import contextlib
import errno
import hashlib
import json
import logging
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel

from napari_mesmerize.atomic import open_whole, write_text
from napari_mesmerize.errors import WriteError
from napari_mesmerize.history import json_safe

STATE = "state.json"
_LOG = logging.getLogger(__name__)
_KEY_FRAMES = 8  # frames that identify a recording
_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def work_key(
    recording: xr.DataArray,
    params: BaseModel,
    version: int,
    *,
    facts: Mapping[str, Any] | None = None,
    arrays: Sequence[NDArray[Any] | None] = (),
) -> str:
    """Return a digest of all that determines a result.

    Names of modules do not go into it: work goes on after they have moved.

    Parameters
    ----------
    recording : xarray.DataArray
        Its shape, type and source, and the pixels of eight frames.
    params : pydantic.BaseModel
        The parameters, and by its type the engine.
    version : int
        Of the computation: work of another one is not resumed.
    facts : mapping, optional
        What else determines the result, as JSON can hold it.
    arrays : sequence of numpy.ndarray or None, optional
        The same, as arrays; ``None`` is left out.
    """
    n_frames = recording.sizes["frame"]
    chosen = np.linspace(0, n_frames - 1, min(_KEY_FRAMES, n_frames))
    known = {
        "params": params.model_dump(mode="json"),
        "engine": type(params).__name__,
        "version": version,
        "shape": recording.shape,
        "dtype": str(recording.dtype),
        "source": recording.attrs.get("source"),
        **(facts or {}),
    }
    digest = hashlib.sha256(json.dumps(json_safe(known), sort_keys=True).encode())
    some = recording[np.unique(chosen.astype(np.intp))].to_numpy()
    for array in (some, *arrays):
        if array is not None:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class ResumeWarning(UserWarning):
    """Unfinished work that is there can not be continued."""


class UnfinishedWork:
    """A folder with the finished parts of some work.

    Parameters
    ----------
    folder : Path
        The folder.
    key : str
        What identifies the work, see :func:`work_key`.
    result : str
        What the work makes, for messages: ``"/data/corrected.zarr"``.
    parts : str, optional
        Name of the folder of the parts inside ``folder``; default ``folder`` itself.
    sync : bool, optional
        Whether parts survive a power cut, and not only a killed process. That takes
        milliseconds a part: leave it out where a part takes less than a second.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        result: str,
        *,
        parts: str = "",
        sync: bool = True,
    ) -> None:
        self.folder = folder
        self.parts = folder / parts
        self._key = key
        self._result = result
        self._sync = sync

    @property
    def state(self) -> dict[str, Any]:
        """What ``state.json`` says; nothing where it is missing or damaged."""
        try:
            known = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    @property
    def is_the_same(self) -> bool:
        """Whether the folder holds parts of this work, and not of other work."""
        found = self.state.get("key")
        if found is not None and found != self._key:
            warnings.warn(
                f"The unfinished work in {self.folder} is of another recording, other "
                "parameters or another version. It can not be continued, and is begun "
                "anew.",
                ResumeWarning,
                stacklevel=2,
            )
        return bool(found == self._key)

    def note(self, **facts: Any) -> None:
        """Write ``state.json``: the key, and ``facts`` about how far the work is."""
        text = json.dumps({"key": self._key, **facts})
        write_text(self.folder / STATE, text, overwrite=True, sync=self._sync)

    def names(self, start: str) -> list[str]:
        """Return the names of the finished parts that begin with ``start``, sorted."""
        return sorted(path.stem for path in self.parts.glob(f"{start}*.npz"))

    def save(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep a part; it is there, whole, when this returns."""
        path = self.parts / f"{name}.npz"
        with open_whole(path, overwrite=True, sync=self._sync) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def load(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Return what :meth:`save` kept; ``None`` if it is missing or damaged."""
        path = self.parts / f"{name}.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except FileNotFoundError:
            return None
        except _DAMAGED as error:
            _LOG.warning("%s is damaged and is computed again: %s", path, error)
            return None

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turn failures of the disk into an error that says what to do."""
        try:
            yield
        except OSError as error:
            cause = error.__cause__ if isinstance(error, WriteError) else error
            cause = cause if isinstance(cause, OSError) else error
            reason = "the disk is full" if cause.errno in _NO_ROOM else str(cause)
            raise WriteError(
                f"Writing {what} of {self._result} failed: {reason.rstrip('.')}. What "
                f"was finished lies in {self.folder}; make room or check the "
                "permissions and run the same again to go on from there, or delete "
                "that folder."
            ) from error
