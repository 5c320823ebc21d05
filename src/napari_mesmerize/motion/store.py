"""The corrected recording on disk, written batch by batch, resumable after a kill.

While the work goes on, everything lies in ``<out>.partial``: the template, the
estimates of the finished batches, the corrected frames so far, and ``state.json``,
which names the recording and the parameters. The finished folder is renamed to ``out``.
"""

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BloscShuffle

from napari_mesmerize.atomic import put_in_place
from napari_mesmerize.compute.resume import STATE, UnfinishedWork
from napari_mesmerize.errors import WriteError
from napari_mesmerize.history import json_safe
from napari_mesmerize.motion.fit.rigid import Estimates
from napari_mesmerize.motion.result import MotionQuality

FORMAT = "napari-mesmerize recording"
FORMAT_VERSION = 1
_PARTS = "work"


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
        self._overwrite = overwrite
        self.partial = out.with_name(out.name + ".partial")
        self._work = UnfinishedWork(
            self.partial, key, str(out), parts=_PARTS, sync=False
        )
        with self._work.writing("the folder"):
            if not self._work.is_the_same:
                self.reset()

    @property
    def n_written(self) -> int:
        """Corrected frames that are safely stored."""
        return int(self._work.state.get("n_written", 0))

    def reset(self) -> None:
        """Throw away unfinished work."""
        if self.partial.exists():
            shutil.rmtree(self.partial)
        self._work.parts.mkdir(parents=True)
        self._work.note(n_written=0)

    def save_template(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what the estimates depend on."""
        with self._work.writing("the template"):
            self._work.save("template", arrays)

    def load_template(self) -> dict[str, NDArray[Any]] | None:
        """Return what :meth:`save_template` kept, if it did."""
        return self._work.load("template")

    def save_estimates(self, frames: slice, estimates: Estimates) -> None:
        """Keep the estimates of a batch."""
        arrays = {
            item.name: getattr(estimates, item.name) for item in fields(estimates)
        }
        what = f"the estimates of frames {frames.start} to {frames.stop}"
        with self._work.writing(what):
            self._work.save(f"estimates-{frames.start:010d}-{frames.stop:010d}", arrays)

    def load_estimates(self) -> Iterator[Estimates]:
        """Yield the estimates of the finished batches, from the first frame on."""
        done = 0
        for name in self._work.names("estimates-"):
            start, stop = (int(part) for part in name.split("-")[1:])
            arrays = self._work.load(name) if start == done else None
            if arrays is None:
                break
            yield Estimates(**arrays)
            done = stop

    def save_range(self, lowest: float, highest: float) -> None:
        """Keep the range of the corrected intensities."""
        with self._work.writing("the range of intensities"):
            self._work.save("range", {"range": np.array([lowest, highest])})

    def load_range(self) -> tuple[float, float] | None:
        """Return what :meth:`save_range` kept, if it did."""
        kept = self._work.load("range")
        if kept is None:
            return None
        lowest, highest = kept["range"]
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
        with self._work.writing("the frames"):
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
        with self._work.writing(f"frames {frames.start} to {frames.stop}"):
            array[frames] = values

    def mark_written(self, n_written: int) -> None:
        """Note that the first ``n_written`` corrected frames are safely stored."""
        with self._work.writing("the state"):
            self._work.note(n_written=n_written)

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
        with self._work.writing("the results"):
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
            # a recording that is open elsewhere can not be replaced on some systems
            put_in_place(self.partial, self.out, overwrite=self._overwrite)
        shutil.rmtree(self.out / _PARTS, ignore_errors=True)
        (self.out / STATE).unlink(missing_ok=True)
        return self.out / "frames"
