"""Passes over all frames: on this machine's threads, or on a cluster."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.compute.cluster import computed, n_workers
from napari_mesmerize.compute.resources import one_blas_thread
from napari_mesmerize.data.recording import lazy_recording
from napari_mesmerize.motion.kernels.device import CPU, Device
from napari_mesmerize.motion.source import Schedule, Source
from napari_mesmerize.progress import Progress

_AHEAD = 2  # batches in flight for each worker of a cluster

T = TypeVar("T")

Work = Callable[[Source, NDArray[Any], slice], T]


@dataclass(frozen=True)
class Passes:
    """Runs work over the frames of a recording, batch by batch.

    Attributes
    ----------
    source : Source
        The recording.
    schedule : Schedule
        Batches, units, threads.
    progress : Progress
        Wraps the loops over batches.
    client : distributed.Client or None
        Computes the batches where given; frames are read and results stored here.
    device : Device
        Where the loops over pixels run.
    """

    source: Source
    schedule: Schedule
    progress: Progress
    client: Any = None
    device: Device = CPU

    def run(
        self, work: Work[T], desc: str, start: int = 0
    ) -> Iterator[tuple[slice, list[T]]]:
        """Yield ``(batch, [work(source, raw, frames) for each unit])`` in order.

        ``work`` takes raw frames and where they lie in the recording; it may not read
        from ``source``, which on a cluster is only a description.
        """
        batches = self.schedule.batches(self.source.n_frames, start)
        found = (
            self._on_cluster(work, batches)
            if self.client
            else self._here(work, batches)
        )
        counted: Iterable[tuple[slice, list[T]]] = self.progress(
            found, desc=desc, total=len(batches)
        )
        yield from counted

    def _here(
        self, work: Work[T], batches: list[slice]
    ) -> Iterator[tuple[slice, list[T]]]:
        reading = self.schedule.prefetched(self.source.read_raw, batches)
        for batch, raw in reading:

            def unit(
                place: slice, raw: NDArray[Any] = raw, first: int = batch.start
            ) -> T:
                frames = slice(first + place.start, first + place.stop)
                return work(self.source, raw[place], frames)

            yield batch, self.schedule.map_units(unit, len(raw))

    def _on_cluster(
        self, work: Work[T], batches: list[slice]
    ) -> Iterator[tuple[slice, list[T]]]:
        found = computed(
            self.client,
            _compute_batch,
            (work, describe_source(self.source), self.schedule.unit),
            batches,
            self.source.read_raw,
            at_once=_AHEAD * n_workers(self.client),
            in_order=True,
        )
        for place, units in found:
            yield batches[place], units


def describe_source(source: Source) -> Source:
    """Return a source without its frames: dtype and image shape only."""
    recording = source.recording
    blank = np.zeros((1, *recording.shape[1:]), recording.dtype)
    return replace(source, recording=lazy_recording(blank))


@one_blas_thread()
def _compute_batch(
    shared: tuple[Work[T], Source, int], batch: slice, raw: NDArray[Any]
) -> list[T]:
    """Compute the units of a batch one after the other (on a worker of a cluster)."""
    work, source, unit = shared
    first = batch.start
    return [
        work(
            source,
            raw[k : k + unit],
            slice(first + k, first + min(k + unit, len(raw))),
        )
        for k in range(0, len(raw), unit)
    ]
