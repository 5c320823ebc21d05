"""Movies that a result stands for: reconstructed, background, residual, all lazy."""

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import image_shape, lazy_recording
from napari_mesmerize.errors import ParameterError

Kind = Literal["components", "background", "reconstructed", "residual"]


class _Frames:
    """Frames computed from components when indexed."""

    def __init__(
        self, components: Components, kind: Kind, recording: xr.DataArray | None
    ) -> None:
        self._kind = kind
        self._recording = recording
        self._footprints = sparse.csr_array(components.footprints)
        self._traces = components.traces["denoised"]
        self._background = components.background
        self.shape = (components.n_frames, *components.image_shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        n_frames = len(range(*frames.indices(self.shape[0])))
        total: FloatArray = np.zeros((self._footprints.shape[0], n_frames), np.float32)
        if self._kind != "background":
            total = total + self._footprints @ self._traces[:, frames]
        if self._kind != "components" and self._background is not None:
            total = total + self._background.static[:, None]
            total += self._background.spatial @ self._background.temporal[:, frames]
        movie = np.ascontiguousarray(total.T, np.float32)
        movie = movie.reshape(n_frames, *self.shape[1:])
        if self._kind == "residual" and self._recording is not None:
            movie = self._recording[frames].to_numpy().astype(np.float32) - movie
        return movie


def movie_of(
    components: Components,
    kind: Kind = "reconstructed",
    *,
    recording: xr.DataArray | None = None,
    accepted_only: bool = True,
) -> xr.DataArray:
    """Return a movie made from components, computed frame by frame when looked at.

    Parameters
    ----------
    components : Components
        Of an extraction.
    kind : {"reconstructed", "components", "background", "residual"}
        Components and background; components alone; background alone; or what the
        recording holds beyond both.
    recording : xarray.DataArray, optional
        What the components were found in; the residual needs it.
    accepted_only : bool, optional
        Leave rejected components out; they are then part of the residual.

    Returns
    -------
    xarray.DataArray
        A lazy recording, float32.

    Raises
    ------
    ParameterError
        If the components have no denoised traces, or the recording does not fit.

    Notes
    -----
    Look at ``residual`` to see what was missed: a cell that it shows was not found.
    Look at ``components`` for a clean film. Do not measure traces in these movies; they
    are in ``components.traces`` already.

    Examples
    --------
    >>> from napari_mesmerize import extract_components, simulate
    >>> recording, truth = simulate("2p-small", seed=1, shape=(150, 48, 48), n_cells=4)
    >>> from napari_mesmerize.cnmf import movie_of
    >>> components = extract_components(recording)
    >>> movie_of(components, "residual", recording=recording).shape
    (150, 48, 48)
    """
    if "denoised" not in components.traces:
        raise ParameterError(
            f"These components have traces {sorted(components.traces)}; a movie needs "
            "'denoised'. Extract them, or compute traces first."
        )
    if kind == "residual":
        expected = (components.n_frames, *components.image_shape)
        came = None if recording is None else tuple(recording.shape)
        if came != expected:
            raise ParameterError(
                f"The residual needs the recording of shape {expected}, in which the "
                f"components were found; recording has shape {came}."
            )
    if recording is not None and image_shape(recording) != components.image_shape:
        raise ParameterError(
            f"The recording's images have shape {image_shape(recording)}, those of the "
            f"components {components.image_shape}; give the recording in which the "
            "components were found."
        )
    if accepted_only:
        components = components.select(components.accepted)
    return lazy_recording(
        _Frames(components, kind, recording),
        name=kind,
        frame_rate=components.frame_rate,
        history=components.history,
    )
