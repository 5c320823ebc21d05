"""Small pictures of recordings, for lists of what files hold."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.recording import check_recording, image_shape

N_FRAMES = 8
_MAX_BYTES = 2**26


def thumbnail(
    recording: xr.DataArray, *, side: int = 96, contrast: tuple[float, float] = (1, 99)
) -> NDArray[np.uint8]:
    """Return a small picture of a recording: the mean of a few frames.

    At most eight neighbouring frames from the middle are read, and 64 MB.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording; of volumes the maximum over depth is shown.
    side : int, optional
        Largest side, pixels.
    contrast : tuple of float, optional
        Percentiles that become black and white.

    Returns
    -------
    numpy.ndarray
        2-D, grey, 0 to 255.

    Raises
    ------
    ReadError
        If those frames can not be read.

    Notes
    -----
    Use it in lists of recordings: it costs a few frames whatever the length. Do not
    measure on it; :func:`project` gives the true mean.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.transforms import thumbnail
    >>> recording = as_recording(np.random.default_rng(1).random((50, 256, 192)))
    >>> max(thumbnail(recording, side=64).shape)
    64
    """
    check_recording(recording)
    frame_bytes = int(np.prod(image_shape(recording))) * recording.dtype.itemsize
    n_frames = int(np.clip(_MAX_BYTES // max(1, frame_bytes), 1, N_FRAMES))
    middle = max(0, len(recording) // 2 - n_frames // 2)
    image = recording[middle : middle + n_frames].to_numpy().astype(np.float32)
    image = image.mean(axis=0)
    image = image.max(axis=0) if image.ndim == 3 else image
    step = max(1, -(-max(image.shape) // side))
    height, width = (max(1, size // step * step) for size in image.shape)
    if height >= step and width >= step:
        image = image[:height, :width]
        image = image.reshape(height // step, step, width // step, step)
        image = image.mean(axis=(1, 3))
    else:
        image = image[::step, ::step]
    if not np.isfinite(image).any():
        return np.zeros(image.shape, np.uint8)
    low, high = np.nanpercentile(image, contrast)
    image = (image - low) / max(float(high - low), 1e-12) * 255
    grey = np.nan_to_num(np.clip(image, 0, 255)).round()
    return np.asarray(grey, np.uint8)
