"""``correct_motion``: the motion correction as users call it."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.compute.resources import one_blas_thread
from napari_mesmerize.compute.resume import work_key
from napari_mesmerize.data.recording import check_recording, image_shape
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.motion.estimation import estimate_motion
from napari_mesmerize.motion.finish import (
    assess,
    check_output,
    corrected_frames,
    corrected_like,
    describe,
    make_result,
    store_frames,
    time_stamps,
)
from napari_mesmerize.motion.fit.align import Guide
from napari_mesmerize.motion.kernels.device import CPU, choose_device
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams, resolve
from napari_mesmerize.motion.passes import Passes
from napari_mesmerize.motion.result import MotionResult, MotionWarning
from napari_mesmerize.motion.scan_phase import estimate_scan_phase
from napari_mesmerize.motion.source import Source, make_schedule
from napari_mesmerize.motion.store import MotionStore, StoredFrames
from napari_mesmerize.motion.template.subset import choose_frames
from napari_mesmerize.progress import Progress, silent

_SCAN_FRAMES = 40
_NOTHING_COMMON = (
    "Nothing was moved: the mean of the frames shows nothing but noise, so there is no "
    "structure to register. If this is dF/F, or if a background was subtracted, "
    "correct the recording as it was before and move this one with apply_motion. Or "
    "give a template."
)
# of the computation: unfinished work of another version is not resumed
WORK_VERSION = 4
FIELD_VERSION = 5  # of piecewise correction; since 5, fields hold up to the border


@one_blas_thread()
def correct_motion(
    recording: xr.DataArray,
    params: RigidParams | None = None,
    *,
    out: str | Path | None = None,
    template: ArrayLike | None = None,
    region: ArrayLike | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
    batch_size: int | None = None,
    device: str = "cpu",
    client: Any = None,
    progress: Progress = silent,
    overwrite: bool = False,
) -> MotionResult:
    """Correct the motion of a recording.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``.
    params : RigidParams or PiecewiseParams, optional
        The engine and its parameters: one shift per frame (default), or a field of
        shifts per frame.
    out : str or Path, optional
        Where the corrected frames are stored (Zarr). Without it they are computed
        whenever they are read.
    template : array_like, optional
        An image of the tissue, in the unit of the recording, to align to; for instance
        the template of another session.
    region : array_like, optional
        Boolean image: only its True pixels are compared.
    max_memory : int, optional
        Bytes; default a quarter of what is free.
    workers : int, optional
        Threads; default one for each core.
    batch_size : int, optional
        Frames read at a time.
    device : str, optional
        ``"cpu"``, or ``"cuda"`` (``"cuda:1"``, ...) for a graphics card: needs PyTorch.
        Shifts agree within 0.002 px.
    client : dask.distributed.Client, optional
        A cluster that shares the work.
    progress : Progress, optional
        Wraps the loops over batches; ``tqdm`` fits.
    overwrite : bool, optional
        Replace an existing ``out``.

    Returns
    -------
    MotionResult
        ``.shifts`` are (y, x) or (z, y, x) pixels to add to each frame.

    Warns
    -----
    MotionWarning
        If the frames have no structure in common; then nothing is moved.

    Raises
    ------
    ParameterError
        If the recording has fewer than 2 usable frames, or a parameter, ``template`` or
        ``region`` does not fit it.

    Notes
    -----
    Start with the defaults, and try alternatives on a part with :func:`preview_motion`.
    Without ``out`` frames are moved whenever they are read, which is right for one
    further pass; give ``out`` if the recording will be read many times. Do not correct
    a recording of dF/F: correct the raw one, and move the other with
    :func:`apply_motion`.

    The task and the other names of the parameters are those of NoRMCorre
    (:doi:`10.1016/j.jneumeth.2017.07.031`). Here a cross-correlation finds the nearest
    pixel, and Gauss-Newton steps on the template's gradient find its fraction.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> recording, truth = simulate(
    ...     "2p-small", motion="rigid", seed=1, shape=(60, 48, 48), n_cells=4
    ... )
    >>> from napari_mesmerize import correct_motion
    >>> from napari_mesmerize.simulation import shift_error
    >>> result = correct_motion(recording)
    >>> result.shifts.shape, result.recording.shape
    ((60, 2), (60, 48, 48))
    >>> error = shift_error(result.shifts, truth)
    >>> error["rmse"] < 0.3 < error["identity"]
    True
    """
    check_recording(recording, min_frames=2)
    params = RigidParams() if params is None else params
    place = choose_device(device)
    if client is not None and place != CPU:
        raise ParameterError(
            f"device={device!r} and a cluster can not be combined; leave device='cpu' "
            "or run without client."
        )
    timer = StepTimer("correct_motion", params, inputs=[recording])
    settings = resolve(params, image_shape(recording))
    check_output(params, fields=isinstance(params, PiecewiseParams))
    source = Source(recording)
    guide = _guide(source, template, region)
    store = _open_store(recording, params, guide, out, overwrite)
    if params.fix_scan_phase:
        some = choose_frames(source.n_frames, _SCAN_FRAMES)
        source = Source(recording, estimate_scan_phase(source.read(some)[0]))
    schedule = make_schedule(source, max_memory, workers, batch_size)
    passes = Passes(source, schedule, progress, client, place)
    motion = estimate_motion(settings, guide, passes, params, store)
    if not motion.registered:
        warnings.warn(_NOTHING_COMMON, MotionWarning, stacklevel=3)
    quality = assess(motion, source, schedule)
    frames = corrected_frames(motion, quality, params, passes, store)
    if store:
        store_frames(frames, passes, store)
    return make_result(recording, frames, quality, params, timer, store)


@one_blas_thread()
def apply_motion(
    recording: xr.DataArray,
    result: MotionResult,
    *,
    out: str | Path | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
    batch_size: int | None = None,
    progress: Progress = silent,
    overwrite: bool = False,
) -> xr.DataArray:
    """Move the frames of another recording, such as a second channel, in the same way.

    Parameters
    ----------
    recording : xarray.DataArray
        As many frames, of the same shape, as the one that ``result`` comes from.
    result : MotionResult
        What :func:`correct_motion` returned for the channel that registers.
    out, max_memory, workers, batch_size, progress, overwrite
        As in :func:`correct_motion`.

    Returns
    -------
    xarray.DataArray
        The moved recording, float32.

    Raises
    ------
    ParameterError
        If the recording has another shape.

    Notes
    -----
    Use it for further channels, and for dF/F or filtered copies of a recording: correct
    the one that shows tissue, and move the others by its shifts. Do not use it for
    another recording of the same tissue; that one moved differently: correct it with
    ``template=``.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> recording, truth = simulate(
    ...     "2p-small", motion="rigid", seed=1, shape=(60, 48, 48), n_cells=4
    ... )
    >>> from napari_mesmerize import apply_motion, correct_motion
    >>> red = correct_motion(recording)
    >>> green = apply_motion(recording + 100, red)
    >>> green.shape, green.dtype
    ((60, 48, 48), dtype('float32'))
    """
    check_recording(recording)
    expected = result.frames.source.recording.shape
    if recording.shape != expected:
        raise ParameterError(
            f"The recording has shape {recording.shape}, but the motion was estimated "
            f"on one of shape {expected}. Give another channel of the same recording."
        )
    timer = StepTimer("apply_motion", result.params, inputs=[recording, result])
    frames = corrected_like(recording, result, result.frames)
    source = frames.source
    schedule = make_schedule(source, max_memory, workers, batch_size)
    passes = Passes(source, schedule, progress)
    history = timer.extend(recording.attrs.get("history") or [])
    if out is None:
        return describe(frames, recording, frames.output, history)
    guide = Guide()
    store = _open_store(recording, result.params, guide, out, overwrite, result.shifts)
    assert store is not None
    store_frames(frames, passes, store)
    corrected = describe(frames, recording, frames.output, history)
    arrays, times = {"shifts": result.shifts}, time_stamps(recording)
    path = store.finish(corrected.attrs, arrays, result.quality, times)
    return describe(StoredFrames(path), recording, frames.output, history)


def _open_store(
    recording: xr.DataArray,
    params: RigidParams,
    guide: Guide,
    out: str | Path | None,
    overwrite: bool,
    *arrays: NDArray[Any],
) -> MotionStore | None:
    """Open the folder ``out``; unfinished work of the same kind is resumed."""
    if out is None:
        return None
    determining = [guide.region, guide.template, *arrays]
    version = FIELD_VERSION if isinstance(params, PiecewiseParams) else WORK_VERSION
    key = work_key(recording, params, version, arrays=determining)
    return MotionStore(Path(out), key, overwrite=overwrite)


def _guide(
    source: Source, template: ArrayLike | None, region: ArrayLike | None
) -> Guide:
    """Check the template and region that the caller gives."""
    shape = image_shape(source.recording)
    image = mask = None
    if template is not None:
        given = np.asarray(template)
        if given.shape != shape:
            raise ParameterError(
                f"The template has shape {given.shape}, but the recording's images "
                f"have shape {shape}. Give an image of the same size."
            )
        volume = given.astype(np.float32).reshape(1, *source.volume_shape)
        image = source.fill(volume.copy())[0][0]
        if image.max() == image.min():
            raise ParameterError(
                "The template has no structure: all its pixels have the same value. "
                "Give an image of the tissue, such as the mean of aligned frames."
            )
    if region is not None:
        chosen = np.asarray(region).astype(bool)
        if chosen.shape == shape[1:]:
            chosen = np.broadcast_to(chosen, shape)
        if chosen.shape != shape:
            raise ParameterError(
                f"The region has shape {chosen.shape}, but the recording's images have "
                f"shape {shape}. Draw it on an image of this recording."
            )
        if not chosen.any():
            raise ParameterError(
                "The region is empty: no pixel of it lies in the image."
            )
        mask = _widened(chosen.reshape(source.volume_shape), source.padded_shape)
    return Guide(mask, image)


def _widened(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    extra = [(0, wide - size) for wide, size in zip(shape, mask.shape, strict=True)]
    return np.pad(mask, extra, mode="edge")


def preview_motion(
    recording: xr.DataArray,
    params: RigidParams | None = None,
    *,
    n_frames: int = 300,
    start: int = -1,
    **options: Any,
) -> MotionResult:
    """Correct consecutive frames of a recording, to try parameters in seconds.

    Parameters
    ----------
    recording : xarray.DataArray
        The whole recording; only the chosen frames are read.
    params : RigidParams or PiecewiseParams, optional
        As in :func:`correct_motion`.
    n_frames : int, optional
        How many frames.
    start : int, optional
        The first one; -1: so that they lie in the middle.
    **options
        Further keywords of :func:`correct_motion`.

    Returns
    -------
    MotionResult
        Of these frames alone; frame 0 of the result is frame ``start`` of the
        recording.

    Raises
    ------
    ParameterError
        As from :func:`correct_motion`.

    Notes
    -----
    Use it to compare parameters: ``quality.crispness_after`` should rise. The template
    comes from these frames alone, so shifts may differ from those of the whole run by a
    constant. Choose frames in which the animal moves.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> recording, truth = simulate(
    ...     "2p-small", motion="rigid", seed=1, shape=(60, 48, 48), n_cells=4
    ... )
    >>> from napari_mesmerize import RigidParams
    >>> from napari_mesmerize.motion import preview_motion
    >>> preview_motion(recording, RigidParams(max_shift=8), n_frames=30).shifts.shape
    (30, 2)
    """
    check_recording(recording, min_frames=2)
    total = int(recording.sizes["frame"])
    count = min(max(n_frames, 2), total)
    first = (total - count) // 2 if start < 0 else min(start, total - count)
    return correct_motion(recording[first : first + count], params, **options)
