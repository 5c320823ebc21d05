"""The pass over all frames that finds their displacements."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.fit.align import Guide, coarse_of, start_displacements
from napari_mesmerize.motion.fit.cross_correlation import Correlator
from napari_mesmerize.motion.fit.least_squares import fit_rigid
from napari_mesmerize.motion.kernels.device import CPU, Device
from napari_mesmerize.motion.source import Source
from napari_mesmerize.motion.template.contrast import (
    Gain,
    local_contrast,
    without_structure,
)
from napari_mesmerize.motion.template.subset import choose_frames
from napari_mesmerize.motion.template.template import Template

_FIRST = "coefficients"
_SAMPLED = 4096  # frames at most whose first coefficients are kept


@dataclass(frozen=True, eq=False)
class Estimates:
    """What the pass over the frames found; arrays have one row per frame.

    Attributes
    ----------
    displacements : numpy.ndarray
        Shape (n, 3), (z, y, x) px: how far the scene moved.
    at_edge : numpy.ndarray
        The coarse shift lay at the edge of the search range.
    lost : numpy.ndarray
        Fewer than half of the pixels were finite, or all were the same.
    torn : numpy.ndarray
        The rows moved apart within the frame, unlike those of its neighbours.
    before, after : numpy.ndarray
        Correlation with the template, as recorded and moved back.
    coefficients, vectors : numpy.ndarray
        Shape (n, M): a field's first coefficients, and what the frames say about them;
        M = 0 without fields.
    """

    displacements: NDArray[np.float64]
    at_edge: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    torn: NDArray[np.bool_]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    coefficients: NDArray[np.float32]
    vectors: NDArray[np.float32]

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Return the estimates of consecutive frames as one."""
        return cls(
            **{
                item.name: np.concatenate([getattr(part, item.name) for part in parts])
                for item in fields(cls)
            }
        )


@dataclass(frozen=True, eq=False)
class Gathered:
    """Estimates of all frames, and the first coefficients of some of them.

    Attributes
    ----------
    estimates : Estimates
        Without coefficients.
    sampled : numpy.ndarray
        Shape (k,): frames, evenly spread.
    coefficients : numpy.ndarray
        Shape (k, M): those of the sampled frames.
    """

    estimates: Estimates
    sampled: NDArray[np.intp]
    coefficients: NDArray[np.float32]

    @classmethod
    def of(cls, parts: Iterable[Estimates], n_frames: int) -> Self:
        """Copy the estimates of consecutive frames into arrays, one part at a time."""
        names = [item.name for item in fields(Estimates) if item.name != _FIRST]
        whole: dict[str, NDArray[Any]] = {}
        sampled = choose_frames(n_frames, _SAMPLED)
        coefficients, done = [], 0
        for part in parts:
            here = slice(done, done + len(part.lost))
            for name in names:
                values = getattr(part, name)
                if name not in whole:
                    whole[name] = np.empty((n_frames, *values.shape[1:]), values.dtype)
                whole[name][here] = values
            inside = sampled[(sampled >= here.start) & (sampled < here.stop)]
            coefficients.append(part.coefficients[inside - done])
            done = here.stop
        whole[_FIRST] = np.empty((n_frames, 0), np.float32)
        return cls(Estimates(**whole), sampled, np.concatenate(coefficients))


@dataclass(frozen=True, eq=False)
class EstimateWork:
    """Estimates raw frames: what a pass over the recording runs."""

    estimator: "RigidEstimator"

    def __call__(self, source: Source, raw: NDArray[Any], frames: slice) -> Estimates:
        """Return the estimates of raw frames."""
        return self.estimator(*source.fill(source.volumes(raw)))


class RigidEstimator:
    """Finds one displacement per frame.

    Parameters
    ----------
    template : Template
        What frames are aligned to.
    gain : Gain
        Intensity scale of the recording.
    guide : Guide
        The region to compare.
    device : Device, optional
        Where the loops over pixels run.
    """

    def __init__(
        self, template: Template, gain: Gain, guide: Guide, device: Device = CPU
    ) -> None:
        self.template = template
        self.gain = gain
        self.device = device
        self._coarse = coarse_of(template.binned, template.settings, guide)
        self.correlator = Correlator(template)

    def __call__(
        self, volumes: NDArray[np.float32], usable: NDArray[np.bool_]
    ) -> Estimates:
        """Estimate a unit of frames (n, z, y, x), finite."""
        settings = self.template.settings
        volumes = self.device.put(volumes)
        frames, binned = local_contrast(volumes, settings.filter_sigma, self.gain)
        start, at_edge = start_displacements(binned, self._coarse)
        found = fit_rigid(self.template, frames, start, settings.rigid_steps)
        lost = ~usable | without_structure(binned)
        none = np.empty((len(frames), 0), np.float32)
        first = Estimates(
            displacements=found,
            at_edge=at_edge & ~lost,
            lost=lost,
            torn=np.zeros(len(frames), bool),
            before=self.correlator.correlate(binned),
            after=np.empty(len(frames)),
            coefficients=none,
            vectors=none,
        )
        return self.refine(frames, binned, first)

    def refine(
        self,
        frames: NDArray[np.float32],
        binned: NDArray[np.float32],
        estimates: Estimates,
    ) -> Estimates:
        """Finish the estimates of a unit of frames."""
        after = self.correlator.correlate(binned, estimates.displacements)
        return replace(estimates, after=after)
