"""Lazy recordings made of others: transformed, normalised, downsampled."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.data.recording import (
    as_recording,
    batch_slices,
    check_recording,
    frame_times,
    frames_that_fit,
    image_shape,
    lazy_recording,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.progress import Progress, silent

How = Literal["divide", "subtract", "regress"]
Transform = Callable[[NDArray[Any]], NDArray[Any]]
_STEP_BYTES = 2**24


def map_frames(
    recording: xr.DataArray,
    function: Transform,
    *,
    dtype: Any = None,
    params: dict[str, Any] | None = None,
) -> xr.DataArray:
    """Return a recording whose frames are computed when they are read.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    function : callable
        From frames (n, height, width) to as many frames; each by itself, since any
        number of them comes at once.
    dtype : dtype, optional
        Type of the result; default that of the first frame's.
    params : dict, optional
        What the history should say of the function.

    Returns
    -------
    xarray.DataArray
        The lazy result, with the facts of ``recording``.

    Notes
    -----
    Use it for filters in space and for pointwise functions. Each frame is computed anew
    at every reading; write the result with :func:`~napari_mesmerize.io.write_recording`
    if it is read often. For filters in time use :func:`map_pixels`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import map_frames
    >>> recording = as_recording(np.full((10, 16, 16), 9.0))
    >>> float(map_frames(recording, np.sqrt)[3].to_numpy().max())
    3.0
    """
    check_recording(recording)
    timer = StepTimer(
        "map_frames",
        {"function": name_of(function)} | (params or {}),
        inputs=[recording],
    )
    first = np.asarray(function(recording[:1].to_numpy()))
    frames = _MappedFrames(recording, function, first.shape[1:], dtype or first.dtype)
    return derived_recording(recording, frames, timer)


class _MappedFrames:
    def __init__(
        self,
        recording: xr.DataArray,
        function: Transform,
        shape: tuple[int, ...],
        dtype: Any,
    ) -> None:
        self._recording = recording
        self._function = function
        self.shape = (recording.sizes["frame"], *shape)
        self.dtype = np.dtype(dtype)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        block = self._function(self._recording[frames].to_numpy())
        return np.asarray(block, self.dtype)


def normalise(
    recording: xr.DataArray,
    signal: ArrayLike,
    signal_times: ArrayLike | None = None,
    *,
    how: How = "divide",
    progress: Progress = silent,
) -> xr.DataArray:
    """Remove a signal that was recorded with the frames, such as the lamp's brightness.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    signal : array_like
        Shape (n,): a value per frame, or values at ``signal_times``.
    signal_times : array_like, optional
        Shape (n,), seconds; interpolated to the times of frames.
    how : {"divide", "subtract", "regress"}, optional
        Divide frames by the signal over its mean, subtract its deviation from the mean,
        or subtract from each pixel what it has in common with the signal (reads the
        recording once).
    progress : Progress, optional
        Wraps the loop over batches of ``"regress"``.

    Returns
    -------
    xarray.DataArray
        Lazy, float32.

    Raises
    ------
    ParameterError
        If signal and frames do not fit, or the signal can not be divided by.

    Notes
    -----
    Use ``divide`` for light that flickers (the signal scales the image), ``subtract``
    for an offset of the camera, and ``regress`` where pixels are affected differently.
    Do not regress out a signal that follows the animal's behaviour: cells that follow
    it, too, would lose their activity.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import normalise
    >>> lamp = np.array([1.0, 2.0, 1.0, 2.0])
    >>> recording = as_recording(lamp[:, None, None] * np.full((4, 8, 8), 10.0))
    >>> normalise(recording, lamp)[:, 0, 0].to_numpy().tolist()
    [15.0, 15.0, 15.0, 15.0]
    """
    check_recording(recording)
    if how not in ("divide", "subtract", "regress"):
        raise ParameterError(f"how='{how}'; expected divide, subtract or regress.")
    timer = StepTimer("normalise", {"how": how}, inputs=[recording])
    values = _at_frames(recording, signal, signal_times)
    mean = values.mean()
    if how == "divide":
        if not (values > 0).all():
            raise ParameterError(
                f"The signal reaches {values.min():.4g}; frames can be divided only by "
                "values above 0. Use how='subtract' or 'regress'."
            )
        frames = _Normalised(recording, values / mean, None)
    elif how == "subtract":
        one = np.ones(image_shape(recording), np.float32)
        frames = _Normalised(recording, values - mean, one)
    else:
        slope = _slope(recording, values - mean, progress)
        frames = _Normalised(recording, values - mean, slope)
    return derived_recording(recording, frames, timer)


class _Normalised:
    """Frames divided by numbers, or less numbers times an image."""

    def __init__(
        self,
        recording: xr.DataArray,
        values: NDArray[np.float64],
        image: NDArray[np.float32] | None,
    ) -> None:
        self._recording = recording
        self._values = values.astype(np.float32)
        self._image = image
        self.shape = recording.shape
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        block = self._recording[frames].to_numpy().astype(np.float32)
        values = self._values[frames].reshape(-1, *[1] * (block.ndim - 1))
        if self._image is None:
            return np.asarray(block / values)
        return np.asarray(block - values * self._image)


def _slope(
    recording: xr.DataArray, deviation: NDArray[np.float64], progress: Progress
) -> NDArray[np.float32]:
    """Return the regression coefficient of each pixel on the signal."""
    power = float(deviation @ deviation)
    if power == 0:
        raise ParameterError("The signal never changes; there is nothing to remove.")
    total = np.zeros(image_shape(recording))
    batches = batch_slices(
        len(recording), frames_that_fit(recording, step_bytes=_STEP_BYTES)
    )
    for frames in progress(batches, desc="Regressing the signal", total=len(batches)):
        block = recording[frames].to_numpy()
        finite = np.where(np.isfinite(block), block, 0).astype(np.float64)
        total += np.tensordot(deviation[frames], finite, axes=1)
    return (total / power).astype(np.float32)


def _at_frames(
    recording: xr.DataArray, signal: ArrayLike, signal_times: ArrayLike | None
) -> NDArray[np.float64]:
    values = np.asarray(signal, np.float64)
    n_frames = len(recording)
    if signal_times is None:
        if values.shape != (n_frames,):
            raise ParameterError(
                f"The signal has shape {values.shape}, but there are {n_frames} "
                "frames; give a value a frame, or signal_times in seconds."
            )
    else:
        times = np.asarray(signal_times, np.float64)
        wanted = frame_times(recording)
        if times.shape != values.shape or not (np.diff(times) > 0).all():
            raise ParameterError(
                f"signal_times has shape {times.shape}, the signal {values.shape}; "
                "they must be equal, and times must increase."
            )
        step = np.median(np.diff(times)) if len(times) > 1 else 0
        if times[0] - step > wanted[0] or times[-1] + step < wanted[-1]:
            raise ParameterError(
                f"The signal lasts from {times[0]:.6g} to {times[-1]:.6g} s, frames "
                f"from {wanted[0]:.6g} to {wanted[-1]:.6g} s; it must cover them."
            )
        values = np.interp(wanted, times, values)
    if not np.isfinite(values).all():
        raise ParameterError("The signal has NaN or infinite values at some frames.")
    return values


def downsample(
    recording: xr.DataArray, *, time: int = 1, space: int = 1
) -> xr.DataArray:
    """Return a lazy recording of means of frames and of squares of pixels.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    time : int, optional
        Frames that become one; a rest at the end is left out.
    space : int, optional
        Side of the squares that become a pixel; a rest at the edges is left out.

    Returns
    -------
    xarray.DataArray
        float32; frame rate, pixel size and time stamps are those of the means.

    Raises
    ------
    ParameterError
        If a number is below 1, or exceeds the recording.

    Notes
    -----
    Use it to look at a long recording quickly or to try parameters. Do not extract
    final traces from a recording that is averaged in time: transients shorter than
    ``time`` frames get lost. Correct the motion first; means of moving frames blur.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import downsample
    >>> recording = as_recording(np.zeros((100, 32, 32)), frame_rate=20)
    >>> small = downsample(recording, time=4, space=2)
    >>> small.shape, small.attrs["frame_rate"]
    ((25, 16, 16), 5.0)
    """
    check_recording(recording)
    height, width = image_shape(recording)[-2:]
    if not (1 <= time <= len(recording) and 1 <= space <= min(height, width)):
        raise ParameterError(
            f"time={time}, space={space}; expected 1 to {len(recording)} frames and 1 "
            f"to {min(height, width)} pixels."
        )
    timer = StepTimer("downsample", {"time": time, "space": space}, inputs=[recording])
    frames = _Binned(recording, time, space)
    attrs = recording.attrs
    rate, size = attrs.get("frame_rate"), attrs.get("pixel_size_um")
    times = None
    if "time_s" in recording.coords:
        stamps = recording.coords["time_s"].to_numpy()[: frames.shape[0] * time]
        times = stamps.reshape(-1, time).mean(axis=1)
    binned = derived_recording(recording, frames, timer, time_s=times)
    binned.attrs["frame_rate"] = rate / time if rate else None
    binned.attrs["pixel_size_um"] = tuple(s * space for s in size) if size else None
    return binned


class _Binned:
    def __init__(self, recording: xr.DataArray, time: int, space: int) -> None:
        self._recording = recording
        self._time = time
        self._space = space
        *planes, height, width = image_shape(recording)
        n_frames = len(recording) // time
        self.shape = (n_frames, *planes, height // space, width // space)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        k, s = self._time, self._space
        start, stop, step = frames.indices(self.shape[0])
        if step != 1:
            numbers = range(start, stop, step)
            parts = [self[i : i + 1] for i in numbers]
            return np.concatenate(parts) if parts else np.empty((0, *self.shape[1:]))
        height, width = self.shape[-2] * s, self.shape[-1] * s
        block = self._recording[start * k : stop * k].to_numpy()
        block = block[..., :height, :width].astype(np.float32)
        block = block.reshape(
            stop - start, k, *self.shape[1:-2], height // s, s, width // s, s
        )
        return np.asarray(block.mean(axis=(1, -3, -1), dtype=np.float32))


def derived_recording(
    recording: xr.DataArray, frames: Any, timer: StepTimer, time_s: Any = None
) -> xr.DataArray:
    """Return a recording of other frames with the facts of ``recording``."""
    name = None if recording.name is None else str(recording.name)
    derived = lazy_recording(frames, name=name)
    derived.attrs = as_recording(recording).attrs | {
        "history": timer.extend(recording.attrs.get("history") or [])
    }
    same = derived.sizes["frame"] == recording.sizes["frame"]
    if time_s is None and same and "time_s" in recording.coords:
        time_s = recording.coords["time_s"].to_numpy()
    if time_s is not None:
        derived = derived.assign_coords(time_s=("frame", np.asarray(time_s)))
    return derived


def name_of(function: Any) -> str:
    """Return what the history calls a function."""
    return str(getattr(function, "__qualname__", None) or function)
