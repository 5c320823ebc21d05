"""dF/F of components: fluorescence over the baseline it stands on."""

import numpy as np
from scipy import sparse
from scipy.ndimage import percentile_filter

from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.data.components import Background

_WINDOW_S = 60.0
_PERCENTILE = 20


def delta_f(
    raw: FloatArray,
    footprints: sparse.csc_array,
    background: Background,
    settings: Settings,
) -> FloatArray:
    """Return raw traces over the background under their footprint.

    The background is projected on each footprint; its running 20th percentile over a
    minute is the baseline F0, so that bleaching is taken out.

    Returns
    -------
    numpy.ndarray
        Shape (n_rois, n_frames).
    """
    if not len(raw):
        return raw
    squares = np.asarray(footprints.multiply(footprints).sum(axis=0)).ravel()
    squares = np.maximum(squares, 1e-12)[:, None]
    static = (footprints.T @ background.static)[:, None] / squares
    changing = (footprints.T @ background.spatial) @ background.temporal / squares
    step = max(1, int(settings.frame_rate))
    coarse = np.asarray(changing[:, ::step], np.float32)
    width = max(3, int(_WINDOW_S * settings.frame_rate / step))
    slow = percentile_filter(coarse, _PERCENTILE, size=(1, width), mode="nearest")
    at = np.arange(raw.shape[1]) / step
    points = np.arange(coarse.shape[1])
    smooth = np.array([np.interp(at, points, row) for row in slow])
    level = np.maximum(static + smooth, 1e-3 * np.abs(static) + 1e-9)
    return np.asarray(raw / level, np.float32)
