"""Motion correction of a recording, from raw frames to the result."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.history import StepTimer
from napari_mesmerize.motion.align import Guide, align_subset, too_small
from napari_mesmerize.motion.corrected import (
    CorrectedFrames,
    Output,
    field_border,
    rigid_border,
)
from napari_mesmerize.motion.estimate import Estimates, RigidEstimator
from napari_mesmerize.motion.field import FieldMotion, Grid, limit_deviation
from napari_mesmerize.motion.fieldfit import (
    FieldEstimator,
    FieldFit,
    align_subset_fields,
    make_prior,
)
from napari_mesmerize.motion.leastsquares import rigid_information
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams, Settings
from napari_mesmerize.motion.quality import (
    crispness,
    fill_lost,
    find_outliers,
    mean_images,
)
from napari_mesmerize.motion.result import MotionQuality, MotionResult
from napari_mesmerize.motion.source import Schedule, Source
from napari_mesmerize.motion.subset import Subset, make_subset
from napari_mesmerize.motion.template import Template
from napari_mesmerize.motion.temporal import Modes, filter_in_time, learn_prior
from napari_mesmerize.progress import Progress
from napari_mesmerize.recording import lazy_recording


@dataclass(frozen=True)
class Motion:
    """The motion of a whole recording.

    Attributes
    ----------
    displacements : numpy.ndarray
        Shape (n_frames, 3), (z, y, x) px.
    field : FieldMotion or None
        Displacement fields, where they are not the same over the whole frame.
    estimates : Estimates
        What the pass over the frames found.
    template : Template
        What the frames were aligned to.
    subset : Subset
        The frames that made it.
    """

    displacements: NDArray[np.float64]
    field: FieldMotion | None
    estimates: Estimates
    template: Template
    subset: Subset


def estimate_motion(
    source: Source,
    settings: Settings,
    guide: Guide,
    schedule: Schedule,
    progress: Progress,
    params: RigidParams,
) -> Motion:
    """Estimate the motion; starts again if the search range was too small."""
    subset = make_subset(source, settings, schedule)
    while True:
        subset, displacements, template = align_subset(subset, guide)
        estimator: RigidEstimator
        if isinstance(params, PiecewiseParams):
            fit = _fit_fields(subset, displacements, template, guide, params)
            estimator = FieldEstimator(fit, subset.gain, guide)
        else:
            estimator = RigidEstimator(template, subset.gain, guide)
        estimates = estimate_all(source, estimator, schedule, progress)
        wider = subset.settings.wider()
        if not (settings.grow and too_small(estimates.at_edge)) or wider is None:
            break
        subset = replace(subset, settings=wider)
    if isinstance(estimator, FieldEstimator):
        field = _joint_field(estimates, estimator.fit, params)
        return Motion(field.mean(), field, estimates, estimator.template, subset)
    found = joint_shifts(estimates, estimator.template)
    return Motion(found, None, estimates, template, subset)


def _fit_fields(
    subset: Subset,
    displacements: NDArray[np.float64],
    template: Template,
    guide: Guide,
    params: PiecewiseParams,
) -> FieldFit:
    grid = Grid.make(subset.settings, automatic=params.strides == 0)
    prior = make_prior(grid, subset)
    template = align_subset_fields(subset, displacements, template, grid, prior, guide)
    return FieldFit(template, grid, prior)


def _joint_field(
    estimates: Estimates, fit: FieldFit, params: RigidParams
) -> FieldMotion:
    """Filter the coefficients of all frames together."""
    assert isinstance(params, PiecewiseParams)  # noqa: S101
    lost = estimates.lost
    constant = np.median(estimates.coefficients[~lost], axis=0).astype(float)
    vectors = estimates.vectors - (constant @ fit.information).astype(np.float32)
    vectors = fill_lost(vectors, lost)
    modes = fit.modes
    if params.adapt_prior:
        prior = learn_prior(vectors[~lost], fit.information, fit.prior)
        modes = Modes.of(fit.information, prior)
    found = constant + filter_in_time(vectors, modes)
    found = limit_deviation(found, fit.grid, params.max_deviation)
    return FieldMotion(found.astype(np.float32), fit.grid, params.upsample_grid)


def joint_shifts(estimates: Estimates, template: Template) -> NDArray[np.float64]:
    """Filter the displacements of all frames together."""
    settings = template.settings
    axes = slice(3 - settings.n_axes, 3)
    found = fill_lost(estimates.displacements, estimates.lost)[:, axes]
    constant = np.median(found, axis=0)
    information = rigid_information(template)[settings.pads[0]][axes, axes]
    prior = np.diag([settings.prior_rigid_sd**2] * settings.n_axes)
    modes = Modes.of(information, prior)
    filtered = constant + filter_in_time((found - constant) @ information, modes)
    return np.pad(filtered, [(0, 0), (3 - settings.n_axes, 0)])


def estimate_all(
    source: Source, estimator: RigidEstimator, schedule: Schedule, progress: Progress
) -> Estimates:
    """Run an estimator over all frames, batch by batch."""
    batches = schedule.batches(source.n_frames)
    parts: list[Estimates] = []
    reading = schedule.prefetched(source.read_raw, batches)
    for _, raw in progress(reading, desc="Estimating motion", total=len(batches)):

        def work(place: slice, raw: NDArray[Any] = raw) -> Estimates:
            return estimator(*source.fill(source.volumes(raw[place])))

        parts += schedule.map_units(work, len(raw))
    return Estimates.join(parts)


def assess(motion: Motion, source: Source, schedule: Schedule) -> MotionQuality:
    """Compute the quality of a correction."""
    estimates, settings = motion.estimates, motion.template.settings
    before, after = mean_images(
        source, motion.subset.chosen, motion.displacements, motion.field, schedule
    )
    border = _border(motion, source)
    information = rigid_information(motion.template)[settings.pads[0]]
    lateral = np.linalg.inv(information)[1:, 1:]
    blank = np.where(estimates.lost, np.nan, 0.0)
    return MotionQuality(
        correlation_before=estimates.before + blank,
        correlation_after=estimates.after + blank,
        outliers=find_outliers(estimates.after, estimates.lost),
        crispness_before=crispness(before, border),
        crispness_after=crispness(after, border),
        mean_before=_as_image(before, source),
        mean_after=_as_image(after, source),
        border=border,
        max_shift=settings.max_shift[-settings.n_axes :],
        expected_error=float(np.sqrt(np.trace(lateral))),
        scan_phase=source.scan_phase,
    )


def _border(motion: Motion, source: Source) -> tuple[int, int, int, int]:
    lateral = source.volume_shape[1:]
    if motion.field is None:
        return rigid_border(motion.displacements, lateral)
    return field_border(motion.field, lateral, source.unit)


def _as_image(volume: NDArray[np.float32], source: Source) -> NDArray[np.float32]:
    return volume if source.recording.ndim == 4 else volume[0]


def corrected_frames(
    source: Source,
    motion: Motion,
    params: RigidParams,
    border: tuple[int, int, int, int],
) -> CorrectedFrames:
    """Return the lazily corrected frames."""
    interpolation: str = params.interpolation
    if interpolation == "auto":
        interpolation = "fourier" if motion.field is None else "cubic"
    output = Output(interpolation, params.border, border, params.output_dtype)
    return CorrectedFrames(
        source, motion.displacements, motion.estimates.lost, output, motion.field
    )


def make_result(
    recording: xr.DataArray,
    frames: CorrectedFrames,
    stored: Any,
    quality: MotionQuality,
    params: RigidParams,
    timer: StepTimer,
) -> MotionResult:
    """Collect what :func:`correct_motion` returns.

    ``stored`` are the frames that the resulting recording shows.
    """
    n_axes = recording.ndim - 1
    shifts = -frames.displacements[:, -n_axes:]
    history = timer.extend(recording.attrs.get("history") or [])
    corrected = describe(stored, recording, frames.output, history)
    return MotionResult(
        shifts=shifts,
        template=quality.mean_after,
        recording=corrected,
        quality=quality,
        params=params,
        history=history,
        frames=frames,
    )


def describe(
    stored: Any,
    recording: xr.DataArray,
    output: Output,
    history: list[dict[str, Any]],
) -> xr.DataArray:
    """Return corrected frames as a recording with the facts of the raw one."""
    facts = recording.attrs
    meta = dict(facts.get("meta") or {})
    if output.dtype != "float32":
        meta |= {"intensity_scale": output.scale, "intensity_offset": output.offset}
    times = recording.coords.get("time_s")
    return lazy_recording(
        stored,
        name=str(recording.name) if recording.name is not None else None,
        frame_rate=facts.get("frame_rate"),
        pixel_size_um=facts.get("pixel_size_um"),
        z_step_um=facts.get("z_step_um"),
        date=facts.get("date"),
        origin=facts.get("origin"),
        source=facts.get("source"),
        meta=meta,
        history=history,
        time_s=None if times is None else times.to_numpy(),
    )


def place_of(out: str | Path | None) -> Path | None:
    """Return ``out`` as a path."""
    return None if out is None else Path(out)
