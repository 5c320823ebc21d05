"""The corrected recording on disk, written batch by batch, resumable after a kill.

While the work goes on, everything lies in ``<out>.partial``: the template, the
estimates of the finished batches, the corrected frames so far, and ``state.json``,
which names the recording and the parameters. The finished folder is renamed to ``out``.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BloscShuffle

from napari_mesmerize.errors import WriteError
from napari_mesmerize.history import json_safe
from napari_mesmerize.motion.fit.rigid import Estimates
from napari_mesmerize.motion.result import MotionQuality

FORMAT = "napari-mesmerize recording"
FORMAT_VERSION = 1
_WORK = "work"
_STATE = "state.json"


class StoredFrames:
    """Frames of a Zarr array, read when indexed; safe from several threads."""

    def __init__(self, path: Path) -> None:
        self._array = zarr.open_array(path, mode="r")
        self.shape = tuple(int(size) for size in self._array.shape)
        self.dtype: np.dtype[Any] = np.dtype(self._array.dtype)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        return np.asarray(self._array[frames])


class MotionStore:
    """A folder that is being filled with corrected frames.

    Parameters
    ----------
    out : Path
        The folder in the end.
    key : str
        What identifies the work: only work with the same key is resumed.
    overwrite : bool
        Replace a finished folder.

    Raises
    ------
    WriteError
        If ``out`` exists already, or can not be written.
    """

    def __init__(self, out: Path, key: str, *, overwrite: bool) -> None:
        if out.exists() and not overwrite:
            raise WriteError(
                f"{out} exists already. Choose another name, or overwrite it: "
                "overwrite=True, --overwrite on the command line."
            )
        self.out = out
        self.partial = out.with_name(out.name + ".partial")
        self._key = key
        with self.writing("the folder"):
            if self._read_state().get("key") != key:
                self.reset()

    @property
    def n_written(self) -> int:
        """Corrected frames that are safely stored."""
        return int(self._read_state().get("n_written", 0))

    def reset(self) -> None:
        """Throw away unfinished work."""
        if self.partial.exists():
            shutil.rmtree(self.partial)
        (self.partial / _WORK).mkdir(parents=True)
        self._write_state(n_written=0)

    def save_template(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what the estimates depend on."""
        with self.writing("the template"):
            self._save("template.npz", arrays)

    def load_template(self) -> dict[str, NDArray[Any]] | None:
        """Return what :meth:`save_template` kept, if it did."""
        path = self.partial / _WORK / "template.npz"
        return _load(path) if path.exists() else None

    def save_estimates(self, frames: slice, estimates: Estimates) -> None:
        """Keep the estimates of a batch."""
        name = f"estimates-{frames.start:010d}-{frames.stop:010d}.npz"
        arrays = {
            item.name: getattr(estimates, item.name) for item in fields(estimates)
        }
        with self.writing(f"the estimates of frames {frames.start} to {frames.stop}"):
            self._save(name, arrays)

    def load_estimates(self) -> Iterator[Estimates]:
        """Yield the estimates of the finished batches, from the first frame on."""
        done = 0
        for path in sorted((self.partial / _WORK).glob("estimates-*.npz")):
            start, stop = (int(part) for part in path.stem.split("-")[1:])
            if start != done:
                break
            yield Estimates(**_load(path))
            done = stop

    def save_range(self, lowest: float, highest: float) -> None:
        """Keep the range of the corrected intensities."""
        with self.writing("the range of intensities"):
            self._save("range.npz", {"range": np.array([lowest, highest])})

    def load_range(self) -> tuple[float, float] | None:
        """Return what :meth:`save_range` kept, if it did."""
        path = self.partial / _WORK / "range.npz"
        if not path.exists():
            return None
        lowest, highest = _load(path)["range"]
        return float(lowest), float(highest)

    def open_frames(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], chunk: int
    ) -> "zarr.Array[Any]":
        """Open or create the array of corrected frames.

        Raises
        ------
        WriteError
            If the disk has too little room.
        """
        path = self.partial / "frames"
        if self.n_written and path.exists():
            return zarr.open_array(path, mode="r+")
        needed = math.prod(shape) * dtype.itemsize
        free = shutil.disk_usage(self.partial).free
        if needed > free:
            raise WriteError(
                f"The corrected frames may take {needed / 1e9:.2f} GB, but the disk of "
                f"{self.out} has {free / 1e9:.2f} GB free. Free space or choose "
                "another disk; output_dtype='uint16' needs half of it."
            )
        with self.writing("the frames"):
            if path.exists():
                shutil.rmtree(path)
            root = zarr.open_group(self.partial, mode="a")
            root.attrs.update(format=FORMAT, format_version=FORMAT_VERSION)
            names = ("frame", "z", "y", "x") if len(shape) == 4 else ("frame", "y", "x")
            compressors = None
            if dtype.kind == "u":  # noisy floats do not compress
                compressors = BloscCodec(
                    cname="lz4", clevel=1, shuffle=BloscShuffle.bitshuffle
                )
            return root.create_array(
                "frames",
                shape=shape,
                dtype=dtype,
                chunks=(min(chunk, shape[0]), *shape[1:]),
                dimension_names=names,
                compressors=compressors,
                config={"write_empty_chunks": True},
            )

    def write_frames(
        self, array: "zarr.Array[Any]", frames: slice, values: NDArray[Any]
    ) -> None:
        """Store consecutive corrected frames; safe from threads, each a chunk."""
        with self.writing(f"frames {frames.start} to {frames.stop}"):
            array[frames] = values

    def mark_written(self, n_written: int) -> None:
        """Note that the first ``n_written`` corrected frames are safely stored."""
        with self.writing("the state"):
            self._write_state(n_written=n_written)

    def finish(
        self,
        facts: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        quality: MotionQuality,
        times: NDArray[np.float64] | None = None,
    ) -> Path:
        """Store facts and results beside the frames; move the folder to its place.

        Parameters
        ----------
        facts : mapping
            Facts of the recording, its history included: attributes of the folder.
        arrays : mapping
            Results, in the group ``motion``.
        quality : MotionQuality
            Its summary becomes the attributes of that group.
        times : numpy.ndarray, optional
            Shape (n_frames,), seconds: array ``time_s``, beside ``frames``.
        """
        with self.writing("the results"):
            root = zarr.open_group(self.partial, mode="a")
            root.attrs.update(json_safe(facts))
            if times is not None:
                root.create_array(
                    "time_s", data=times, dimension_names=("frame",), overwrite=True
                )
            group = root.create_group("motion", overwrite=True)
            group.attrs.update(json_safe(quality.summary()))
            for name, array in arrays.items():
                group.create_array(name, data=np.ascontiguousarray(array))
            shutil.rmtree(self.partial / _WORK)
            (self.partial / _STATE).unlink()
            old = self.out.with_name(self.out.name + ".replaced")
            if self.out.exists():
                if old.exists():
                    shutil.rmtree(old)
                os.replace(self.out, old)
            os.replace(self.partial, self.out)
            if old.exists():
                shutil.rmtree(old)
        return self.out / "frames"

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turn failures of the disk into an error that says what to do."""
        try:
            yield
        except OSError as error:
            if isinstance(error, WriteError):
                raise
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = "the disk is full" if full else str(error)
            raise WriteError(
                f"Writing {what} of {self.out} failed: {reason}. What was finished "
                f"lies in {self.partial}; make room or check the permissions and run "
                "the same again to go on from there, or delete that folder."
            ) from error

    def _save(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        path = self.partial / _WORK / name
        unfinished = path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(unfinished, path)

    def _read_state(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.partial / _STATE).read_text()))
        except (OSError, ValueError):
            return {}

    def _write_state(self, *, n_written: int) -> None:
        unfinished = self.partial / (_STATE + ".tmp")
        unfinished.write_text(json.dumps({"key": self._key, "n_written": n_written}))
        os.replace(unfinished, self.partial / _STATE)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def work_key(facts: Mapping[str, Any], arrays: list[NDArray[Any] | None]) -> str:
    """Return a digest of what determines a result: facts and some arrays."""
    digest = hashlib.sha256(json.dumps(json_safe(facts), sort_keys=True).encode())
    for array in arrays:
        if array is not None:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
