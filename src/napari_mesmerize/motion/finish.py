"""From the motion to the result: quality, corrected frames, what is stored."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.recording import FACTS, lazy_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.motion.estimation import Motion
from napari_mesmerize.motion.fit.least_squares import expected_error
from napari_mesmerize.motion.params import RigidParams
from napari_mesmerize.motion.passes import Passes, describe_source
from napari_mesmerize.motion.quality import crispness, find_outliers, mean_images
from napari_mesmerize.motion.resample.corrected import (
    CorrectedFrames,
    Output,
    field_border,
    rigid_border,
)
from napari_mesmerize.motion.result import MotionQuality, MotionResult
from napari_mesmerize.motion.source import Schedule, Source
from napari_mesmerize.motion.store import MotionStore, StoredFrames


def assess(motion: Motion, source: Source, schedule: Schedule) -> MotionQuality:
    """Compute the quality of a correction."""
    estimates, settings = motion.estimates, motion.template.settings
    before, after = mean_images(
        source, motion.chosen, motion.displacements, motion.field, schedule
    )
    lateral = source.volume_shape[1:]
    if motion.field is None:
        border = rigid_border(motion.displacements, lateral)
    else:
        border = field_border(motion.field, lateral, source.unit)
    blank = np.where(estimates.lost, np.nan, 0.0)
    volumetric = source.recording.ndim == 4
    return MotionQuality(
        correlation_before=estimates.before + blank,
        correlation_after=estimates.after + blank,
        outliers=find_outliers(estimates.after, estimates.lost),
        crispness_before=_crispness_inside(before, border),
        crispness_after=_crispness_inside(after, border),
        mean_before=before if volumetric else before[0],
        mean_after=after if volumetric else after[0],
        border=border,
        max_shift=settings.max_shift[-settings.n_axes :],
        expected_error=expected_error(motion.template),
        scan_phase=source.scan_phase,
        registered=motion.registered,
    )


def _crispness_inside(
    image: NDArray[np.float32], border: tuple[int, int, int, int]
) -> float:
    """Return the crispness without the border; 0 where that leaves nothing."""
    top, bottom, left, right = border
    height, width = image.shape[-2:]
    if height - top - bottom < 2 and width - left - right < 2:
        return 0.0
    return crispness(image, border)


def check_output(params: RigidParams, *, fields: bool) -> str:
    """Return the interpolation that ``params`` mean.

    Raises
    ------
    ParameterError
        If parameters of the output contradict each other.
    """
    if params.border == "nan" and params.output_dtype != "float32":
        raise ParameterError(
            f"border='nan' needs output_dtype='float32': {params.output_dtype} pixels "
            "can not be NaN. Choose another border, such as 'nearest' or 'crop'."
        )
    if params.interpolation == "fourier" and fields:
        raise ParameterError(
            "interpolation='fourier' moves a frame as a whole and can not follow a "
            "field; choose 'cubic' or 'lanczos', or correct with RigidParams."
        )
    if params.interpolation == "auto":
        return "cubic" if fields else "fourier"
    return params.interpolation


@dataclass(frozen=True, eq=False)
class RangeWork:
    """Range of corrected intensities: a pass before they are stored as integers."""

    frames: CorrectedFrames

    def __call__(
        self, source: Source, raw: NDArray[Any], frames: slice
    ) -> tuple[float, float]:
        """Return the lowest and highest corrected value of raw frames."""
        values = self.frames.values(raw, frames)
        kept = values[~self.frames.lost[frames]]
        if not kept.size:
            return np.inf, -np.inf
        return float(kept.min()), float(kept.max())


def corrected_frames(
    motion: Motion,
    quality: MotionQuality,
    params: RigidParams,
    passes: Passes,
    store: MotionStore | None,
) -> CorrectedFrames:
    """Return the lazily corrected frames; integers get the scale that clips nothing."""
    interpolation = check_output(params, fields=motion.field is not None)
    frames = CorrectedFrames(
        passes.source,
        motion.displacements,
        motion.estimates.lost,
        Output(interpolation, params.border, quality.border),
        motion.field,
        passes.device,
    )
    if params.output_dtype == "float32":
        return frames
    known = store.load_range() if store else None
    if known is None:
        known = _measure_range(frames, passes)
        if store:
            store.save_range(*known)
    lowest, highest = known
    steps = np.iinfo(params.output_dtype).max
    output = replace(
        frames.output,
        dtype=params.output_dtype,
        scale=(highest - lowest) / steps or 1.0,
        offset=lowest,
    )
    return replace(frames, output=output)


def _measure_range(frames: CorrectedFrames, passes: Passes) -> tuple[float, float]:
    work = RangeWork(_detached(frames, passes))
    lowest, highest = np.inf, -np.inf
    for _, units in passes.run(work, "Measuring the range of intensities"):
        lowest = min(lowest, *(unit[0] for unit in units))
        highest = max(highest, *(unit[1] for unit in units))
    return lowest, highest


def _detached(frames: CorrectedFrames, passes: Passes) -> CorrectedFrames:
    """Return frames without the recording, for a cluster."""
    if passes.client is None:
        return frames
    return replace(frames, source=describe_source(frames.source))


def store_frames(frames: CorrectedFrames, passes: Passes, store: MotionStore) -> None:
    """Write the corrected frames that are not stored yet, batch by batch.

    On this machine each thread writes the unit that it corrected, so that never more
    than one unit a thread is held.
    """
    array = store.open_frames(frames.shape, frames.dtype, frames.source.unit)

    def correct_and_write(_: Source, raw: NDArray[Any], unit: slice) -> None:
        store.write_frames(array, unit, frames.correct(raw, unit))

    desc, start = "Writing corrected frames", store.n_written
    if passes.client is None:
        for batch, _ in passes.run(correct_and_write, desc, start):
            store.mark_written(batch.stop)
        return
    for batch, units in passes.run(_detached(frames, passes), desc, start):
        first = batch.start
        for unit in units:
            store.write_frames(array, slice(first, first + len(unit)), unit)
            first += len(unit)
        store.mark_written(batch.stop)


def make_result(
    recording: xr.DataArray,
    frames: CorrectedFrames,
    quality: MotionQuality,
    params: RigidParams,
    timer: StepTimer,
    store: MotionStore | None,
) -> MotionResult:
    """Collect what :func:`correct_motion` returns, and store it."""
    n_axes = recording.ndim - 1
    shifts = -frames.displacements[:, -n_axes:]
    history = timer.extend(recording.attrs.get("history") or [])
    shown: Any = frames
    if store:
        facts = describe(frames, recording, frames.output, history).attrs
        arrays = {
            "shifts": shifts,
            "correlation_before": quality.correlation_before,
            "correlation_after": quality.correlation_after,
            "outliers": quality.outliers,
            "mean_before": quality.mean_before,
            "template": quality.mean_after,
        }
        if frames.motion is not None:
            arrays["coefficients"] = frames.motion.coefficients
            for name, places in zip("zyx"[-n_axes:], frames.motion.places, strict=True):
                arrays[f"patch_centers_{name}"] = places
        shown = StoredFrames(
            store.finish(facts, arrays, quality, time_stamps(recording))
        )
    return MotionResult(
        shifts=shifts,
        template=quality.mean_after,
        recording=describe(shown, recording, frames.output, history),
        quality=quality,
        params=params,
        history=history,
        frames=frames,
    )


def describe(
    shown: Any,
    recording: xr.DataArray,
    output: Output,
    history: list[dict[str, Any]],
) -> xr.DataArray:
    """Return corrected frames as a recording with the facts of the raw one."""
    facts = {name: recording.attrs.get(name) for name in FACTS}
    meta = dict(facts["meta"] or {})
    if output.dtype != "float32":
        meta |= {"intensity_scale": output.scale, "intensity_offset": output.offset}
    return lazy_recording(
        shown,
        name=None if recording.name is None else str(recording.name),
        time_s=time_stamps(recording),
        **(facts | {"meta": meta, "history": history}),
    )


def time_stamps(recording: xr.DataArray) -> NDArray[np.float64] | None:
    """Return the real time stamps (n_frames,) of a recording, s, where it has them."""
    times = recording.coords.get("time_s")
    return None if times is None else times.to_numpy().astype(np.float64)


def corrected_like(
    recording: xr.DataArray, result: MotionResult, frames: CorrectedFrames
) -> CorrectedFrames:
    """Return another recording's frames, moved as ``frames`` of ``result`` are."""
    source = Source(recording, result.quality.scan_phase)
    output = replace(frames.output, dtype="float32", scale=1.0, offset=0.0)
    return replace(frames, source=source, output=output)
