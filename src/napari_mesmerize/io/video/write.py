"""Export a recording as a film; outlines, scale bar, times, stimuli drawn in."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.recording import (
    as_recording,
    check_recording,
    frame_times,
    image_shape,
)
from napari_mesmerize.errors import MissingExtraError, ParameterError, WriteError
from napari_mesmerize.progress import Progress, silent

CODECS = {".mp4": "libx264", ".mkv": "libx264", ".mov": "libx264", ".gif": "gif"}
"""Suffixes of films, and what encodes them."""
_NICE_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_SAMPLE = 50
_LEAST_WIDTH = 384


def write_film(
    recording: xr.DataArray | NDArray[Any],
    path: str | Path,
    *,
    outlines: Sequence[ArrayLike] = (),
    colours: Sequence[str] = (),
    epochs: pd.DataFrame | None = None,
    contrast: tuple[float, float] = (1.0, 99.7),
    speed: float = 1.0,
    zoom: int = 0,
    scale_bar: bool = True,
    time_stamp: bool = True,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Export a recording as ``.mp4``, ``.mkv``, ``.mov`` or ``.gif``.

    Parameters
    ----------
    recording : xarray.DataArray or array
        (frame, y, x); of volumes the maximum over depth is shown.
    path : path
        The film; its suffix says the format.
    outlines : sequence of array_like, optional
        Polygons of (y, x) pixels, drawn into each frame.
    colours : sequence of str, optional
        Of the outlines, by name or ``#rrggbb``; default yellow.
    epochs : pandas.DataFrame, optional
        Stimuli (``name``, ``start_s``, ``stop_s``, ``colour``): while one lasts, a
        square of its colour and its name are shown.
    contrast : tuple of float, optional
        Percentiles of a sample of frames that become black and white.
    speed : float, optional
        2 plays twice as fast as it happened.
    zoom : int, optional
        Pixels of the film per pixel; default at least 384 wide.
    scale_bar, time_stamp : bool, optional
        Drawn where pixel size or frame rate are known.
    overwrite : bool, optional
        Whether a file that is there may be replaced.
    progress : Progress, optional
        Wraps the loop over frames.

    Returns
    -------
    pathlib.Path
        The film.

    Raises
    ------
    MissingExtraError
        If PyAV is not installed.
    ParameterError
        If the suffix or a number does not fit.
    WriteError
        If the file is there already or can not be written; no half file stays.
    """
    recording = check_recording(as_recording(recording))
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in CODECS:
        raise ParameterError(f"{path.name}: films end in {', '.join(CODECS)}.")
    if not (math.isfinite(speed) and speed > 0) or zoom < 0:
        raise ParameterError(f"speed={speed}, zoom={zoom}; expected above 0, from 0.")
    with written_whole(path, overwrite=overwrite) as parts:
        av = _av()
        width = image_shape(recording)[-1]
        zoom = zoom or max(1, math.ceil(_LEAST_WIDTH / width))
        picture = _Picture(recording, zoom, outlines, colours, contrast)
        picture.bar = scale_bar
        picture.stamp = time_stamp
        picture.stimuli(epochs)
        rate = Fraction((recording.attrs.get("frame_rate") or 20) * speed)
        numbers = range(len(recording))
        images = picture.draw(
            progress(numbers, desc="Writing film", total=len(numbers))
        )
        try:
            _encode(av, parts, images, picture.size, rate)
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise WriteError(f"{path} was not written: {error}.") from error
    return path


def _encode(
    av: Any,
    path: Path,
    images: Iterator[NDArray[np.uint8]],
    size: tuple[int, int],
    rate: Fraction,
) -> None:
    suffix = path.suffix.lower()
    # FFmpeg keeps a file open that it opened itself and could not write to
    name = {".mkv": "matroska"}.get(suffix, suffix[1:])
    with open(path, "wb") as file, av.open(file, "w", format=name) as container:
        stream = container.add_stream(CODECS[suffix], rate=rate.limit_denominator(1000))
        stream.width, stream.height = size
        stream.pix_fmt = "rgb8" if suffix == ".gif" else "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            "Writing films needs PyAV: pip install 'napari-mesmerize[video]'."
        ) from error
    return av


class _Picture:
    """Frames as colour images, with what is drawn into them."""

    def __init__(
        self,
        recording: xr.DataArray,
        zoom: int,
        outlines: Sequence[ArrayLike],
        colours: Sequence[str],
        contrast: tuple[float, float],
    ) -> None:
        from matplotlib.colors import to_rgb

        self._recording = recording
        self._zoom = zoom
        height, width = image_shape(recording)[-2:]
        # encoders want even sides
        self.size = (width * zoom // 2 * 2, height * zoom // 2 * 2)
        self._shape = (height * zoom, width * zoom)
        picked = np.linspace(0, len(recording) - 1, _SAMPLE).round().astype(int)
        sample = recording[np.unique(picked)].to_numpy()
        finite = sample[np.isfinite(sample)]
        low, high = np.percentile(finite, contrast) if finite.size else (0, 1)
        self._low, self._high = float(low), float(max(high, low + 1e-9))
        self._lines: list[tuple[NDArray[np.intp], NDArray[np.uint8]]] = []
        for i, outline in enumerate(outlines):
            colour = to_rgb(colours[i % len(colours)] if colours else "yellow")
            rgb = np.round(np.multiply(colour, 255)).astype(np.uint8)
            self._lines.append((self._path(outline), rgb))
        self._epochs: list[tuple[float, float, tuple[float, ...], str]] = []
        self.bar = self.stamp = True

    def _path(self, outline: ArrayLike) -> NDArray[np.intp]:
        """Return the pixels of a closed polygon in the enlarged picture."""
        points = (np.asarray(outline, float)[:, -2:] + 0.5) * self._zoom - 0.5
        pixels = []
        for start, stop in zip(points, np.roll(points, -1, axis=0), strict=True):
            n = int(np.abs(stop - start).max()) + 2
            pixels.append(np.linspace(start, stop, n).round().astype(np.intp))
        found = np.unique(np.concatenate(pixels), axis=0)
        inside = ((found >= 0) & (found < self._shape)).all(axis=1)
        return np.asarray(found[inside].T)

    def stimuli(self, epochs: pd.DataFrame | None) -> None:
        """Note when which colour and name are shown."""
        from matplotlib.colors import to_rgb

        if epochs is None:
            return
        for row in epochs.to_dict("records"):
            colour = to_rgb(str(row.get("colour") or "red"))
            label = str(row.get("name", ""))
            times = float(row["start_s"]), float(row["stop_s"])
            self._epochs.append((*times, colour, label))

    def draw(self, numbers: Any) -> Iterator[NDArray[np.uint8]]:
        """Yield the pictures of frames."""
        known = self._recording.attrs.get("frame_rate") is not None
        known |= "time_s" in self._recording.coords
        times = frame_times(self._recording) if known else None
        labels: dict[str, NDArray[np.bool_]] = {}
        for number in numbers:
            frame = self._recording[number].to_numpy().astype(np.float32)
            frame = frame.max(axis=0) if frame.ndim == 3 else frame
            grey = (frame - self._low) / (self._high - self._low) * 255
            grey = np.nan_to_num(np.clip(grey, 0, 255)).astype(np.uint8)
            grey = np.kron(grey, np.ones((self._zoom, self._zoom), np.uint8))
            image = np.repeat(grey[..., np.newaxis], 3, axis=2)
            for pixels, colour in self._lines:
                image[pixels[0], pixels[1]] = colour
            self._annotate(
                image, None if times is None else float(times[number]), labels
            )
            yield np.ascontiguousarray(image[: self.size[1], : self.size[0]])

    def _annotate(
        self,
        image: NDArray[np.uint8],
        time_s: float | None,
        labels: dict[str, NDArray[np.bool_]],
    ) -> None:
        letter = max(12, image.shape[0] // 24)
        if self.stamp and time_s is not None:
            mask = _text(f" {time_s:.1f} s ", letter, labels)
            _put(image, mask, (3, 3), (255, 255, 255))
        size = self._recording.attrs.get("pixel_size_um")
        if self.bar and size:
            width_um = image.shape[1] / self._zoom * size[1]
            length = max((n for n in _NICE_UM if n <= width_um / 4), default=1)
            n = max(1, round(length / size[1] * self._zoom))
            thick = max(3, letter // 5)
            image[-5 - thick : -5, 5 : 5 + n] = 255
            label = _text(f"{length} µm", letter, labels)
            top = image.shape[0] - 8 - thick - label.shape[0]
            _put(image, label, (top, 5), (255, 255, 255))
        for start, stop, colour, name in self._epochs:
            if time_s is not None and start <= time_s < stop:
                rgb = tuple(round(255 * c) for c in colour)
                side = max(6, image.shape[1] // 20)
                image[3 : 3 + side, -3 - side : -3] = rgb
                label = _text(name, letter, labels)
                left = image.shape[1] - 8 - side - label.shape[1]
                _put(image, label, (3, max(0, left)), (255, 255, 255))


def _put(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    corner: tuple[int, int],
    colour: tuple[int, ...],
) -> None:
    """Write a text on a darkened ground."""
    top, left = max(corner[0], 0), corner[1]
    part = image[top : top + mask.shape[0], left : left + mask.shape[1]]
    part //= 3
    part[mask[: part.shape[0], : part.shape[1]]] = colour


def _text(
    text: str, height: int, known: dict[str, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Return a line of text as a mask; each text is drawn once."""
    if text in known:
        return known[text]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    inches = (max(1, len(text)) * height / 72, 1.5 * height / 72)
    figure = Figure(figsize=inches, dpi=72)
    canvas = FigureCanvasAgg(figure)
    figure.text(0, 0.3, text, fontsize=height)
    canvas.draw()
    mask = np.asarray(canvas.buffer_rgba())[..., 0] < 128
    columns = np.flatnonzero(mask.any(axis=0))
    mask = mask[:, : columns[-1] + 2] if columns.size else mask[:, :1]
    if len(known) < 1000:
        known[text] = mask
    return mask
