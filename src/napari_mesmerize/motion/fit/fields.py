"""The passes over all frames that find their displacement fields."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.field import evaluate, mean_displacement
from napari_mesmerize.motion.fit.align import Guide
from napari_mesmerize.motion.fit.cross_correlation import correlation_of
from napari_mesmerize.motion.fit.field_fit import FieldFit
from napari_mesmerize.motion.fit.rigid import Estimates, RigidEstimator
from napari_mesmerize.motion.fit.tears import (
    more_likely,
    strip_displacements,
    unlike_template,
)
from napari_mesmerize.motion.kernels.device import CPU, Device
from napari_mesmerize.motion.source import Source
from napari_mesmerize.motion.template.contrast import Gain, local_contrast

Float = NDArray[np.float64]
Frames = NDArray[np.float32]


class FieldEstimator(RigidEstimator):
    """Finds one displacement and then a field a frame.

    Parameters
    ----------
    fit : FieldFit
        Template, grid and prior.
    gain : Gain
        Intensity scale of the recording.
    guide : Guide
        The region to compare.
    device : Device, optional
        Where the loops over pixels run.
    """

    def __init__(
        self, fit: FieldFit, gain: Gain, guide: Guide, device: Device = CPU
    ) -> None:
        super().__init__(fit.template, gain, guide, device)
        self.fit = fit
        _ = fit.posterior, fit.bases, self.template.root_weights

    def refine(self, frames: Frames, binned: Frames, estimates: Estimates) -> Estimates:
        """Add the field of each frame to its displacement."""
        steps = self.template.settings.field_steps
        start = self.fit.grid.constant(estimates.displacements)
        coefficients = self.fit.fit(frames, start, steps, mute=True)
        vectors = self.fit.vectors(frames, coefficients, mute=True)
        sums = self._strip_sums(binned, coefficients)
        if self.template.settings.n_axes == 2:
            found = coefficients, vectors, sums
            estimates.torn[self._mend_torn(frames, binned, found)] = True
        return replace(
            estimates,
            displacements=mean_displacement(coefficients, self.fit.grid),
            after=correlation_of(sums.sum(axis=1)),
            coefficients=coefficients.astype(np.float32),
            vectors=vectors.astype(np.float32),
        )

    def _strip_sums(self, binned: Frames, coefficients: Float) -> Float:
        """Return what correlates strips of frames, moved back, with the template."""
        grid = self.fit.grid
        moves = evaluate(
            coefficients, grid, grid.bases(self.correlator.places(binned.shape))
        )
        return self.correlator.strip_sums(binned, moves)

    def _mend_torn(
        self, frames: Frames, binned: Frames, found: tuple[Float, Float, Float]
    ) -> NDArray[np.intp]:
        """Replace what was found, in place, of frames whose rows moved apart.

        ``found`` are coefficients, vectors and sums of strips. Returns which frames.
        """
        torn = np.flatnonzero(unlike_template(found[2]).any(axis=1))
        if not torn.size:
            return torn
        again = self._start_again(frames[torn], binned[torn], found[0][torn])
        better = more_likely(found[2][torn], again[2])
        for values, others in zip(found, again, strict=True):
            values[torn[better]] = others[better]
        return torn[better]

    def _start_again(
        self, frames: Frames, binned: Frames, coefficients: Float
    ) -> tuple[Float, Float, Float]:
        """Fit frames whose rows moved apart, from what each strip says by itself.

        Returns
        -------
        coefficients, vectors, sums : numpy.ndarray
            As of the other frames.
        """
        fit, settings = self.fit, self.template.settings
        means = mean_displacement(coefficients, fit.grid)
        strips = strip_displacements(
            self.correlator, binned, means, settings.max_deviation
        )
        middles = fit.grid.centres(settings.block_size)[1]
        start = fit.near(strips[:, self.correlator.strips_at(middles)])
        again = fit.fit(frames, start, settings.field_steps, mute=True)
        vectors = fit.vectors(frames, again, mute=True)
        return again, vectors, self._strip_sums(binned, again)


@dataclass(frozen=True, eq=False)
class RefineWork:
    """Information vectors of raw frames at given fields: a second, shorter pass.

    Attributes
    ----------
    fit : FieldFit
        With the better template.
    gain : Gain
        Intensity scale of the recording.
    coefficients : numpy.ndarray
        Shape (n_frames, M): fields of all frames.
    device : Device
        Where the loops over pixels run.
    """

    fit: FieldFit
    gain: Gain
    coefficients: NDArray[np.float32]
    device: Device = CPU

    def __call__(
        self, source: Source, raw: NDArray[Any], frames: slice
    ) -> NDArray[np.float32]:
        """Return the information vectors of raw frames."""
        sigma = self.fit.template.settings.filter_sigma
        volumes, _ = source.fill(source.volumes(raw))
        contrast, _ = local_contrast(self.device.put(volumes), sigma, self.gain)
        start = self.coefficients[frames].astype(float)
        return self.fit.vectors(contrast, start, mute=True).astype(np.float32)
