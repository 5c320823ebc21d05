"""How well motion correction found the known displacements, and how sharp."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.simulation.truth import Truth

Float = NDArray[np.float64]


def shift_error(estimated: ArrayLike, true: ArrayLike | Truth) -> dict[str, Any]:
    """Return how far estimated shifts are from the truth.

    Errors are taken up to one constant displacement, since the template of a motion
    correction may sit anywhere.

    Parameters
    ----------
    estimated : array_like
        Shape (n_frames, 2 or 3), px to *add* to each frame, as engines return them.
    true : Truth or array_like
        The truth, or how far the scene *moved* in each frame (``Truth.shifts``).

    Returns
    -------
    dict
        ``rmse``, ``p95``, ``max``, px; ``offset``: px to add to positions in the
        corrected recording to find them in the truth; ``identity``: rmse of doing
        nothing.

    Raises
    ------
    ParameterError
        If the shapes differ.

    Notes
    -----
    Use it for one shift a frame. For fields of shifts use :func:`field_error`: a mean
    shift hides bending. Compare ``rmse`` with ``identity``, the error of doing nothing.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> from napari_mesmerize.simulation import shift_error
    >>> _, truth = simulate("2p-small", "rigid", seed=1, shape=(60, 32, 32), n_cells=3)
    >>> round(shift_error(-truth.shifts, truth)["rmse"], 6)
    0.0
    >>> round(shift_error(-truth.shifts + 2.0, truth)["rmse"], 6)  # a constant is free
    0.0
    """
    moved = np.asarray(true.shifts if isinstance(true, Truth) else true, float)
    found = -np.asarray(estimated, float)
    if found.shape != moved.shape:
        raise ParameterError(
            f"Estimated shifts have shape {found.shape}, the true ones {moved.shape}."
        )
    difference = found - moved
    offset = np.median(difference, 0)
    error = np.sqrt(((difference - offset) ** 2).sum(1))
    return {
        "rmse": _rms(error),
        "p95": float(np.percentile(error, 95)),
        "max": float(error.max()),
        "offset": [float(o) for o in offset],
        "identity": _rms(np.sqrt(((np.median(-moved, 0) + moved) ** 2).sum(1))),
    }


def _rms(values: Float) -> float:
    return float(np.sqrt((values**2).mean()))


def field_error(
    estimated: ArrayLike,
    y: ArrayLike,
    x: ArrayLike,
    truth: Truth,
    *,
    step: int = 8,
    inner: float = 0.25,
) -> dict[str, Any]:
    """Return how far estimated displacement fields are from the truth.

    Compared on an even grid, up to one constant displacement a point (a warp that stays
    the same for the whole recording belongs to the template).

    Parameters
    ----------
    estimated : array_like
        Shape (n_frames, len(y), len(x), 2), px to *add*, the rigid part included;
        linear between the points, constant outside them. Rigid shifts: one point.
    y, x : array_like
        Pixel coordinates of the patches' centres.
    truth : Truth
        Of a simulation in 2-D.
    step : int, optional
        Distance of the grid's points and their distance from the border, px.
    inner : float, optional
        Fraction cut from each side for ``inner``.

    Returns
    -------
    dict
        ``rmse``, ``p95``, px; ``identity``: rmse of doing nothing; ``rigid_only``: rmse
        of the best correction by one shift a frame; ``inner``: the same for the middle
        of the view.

    Notes
    -----
    Use it for piecewise corrections of planes; for one shift a frame
    :func:`shift_error` is enough. ``inner`` tells whether an error comes from the
    border, where few patches meet. Volumes move plane by plane and cannot be scored
    here.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import simulate
    >>> from napari_mesmerize.simulation import field_error
    >>> _, truth = simulate(
    ...     "2p-small", "piecewise", seed=1, shape=(40, 48, 48), n_cells=3
    ... )
    >>> y = x = np.arange(0, 48, 4.0)
    >>> error = field_error(-truth.displacement(y, x), y, x, truth)
    >>> error["rmse"] < 0.1 < error["identity"]
    True
    """
    height, width = truth.image_shape
    moved = -np.asarray(estimated, float)
    expected = (len(truth.shifts), np.size(y), np.size(x), 2)
    if moved.shape != expected:
        raise ParameterError(
            f"The estimated field has shape {moved.shape}; expected {expected}: "
            "(n_frames, len(y), len(x), 2)."
        )

    def compare(margin_y: int, margin_x: int) -> dict[str, float]:
        to_y = np.arange(margin_y, height - margin_y, step)
        to_x = np.arange(margin_x, width - margin_x, step)
        found = resample_field(moved, y, x, to_y, to_x)
        return _field_rmse(found, truth.displacement(to_y, to_x))

    middle = compare(int(height * inner), int(width * inner))
    return {**compare(step, step), "inner": middle}


def _field_rmse(found: Float, true: Float) -> dict[str, float]:
    def distance(difference: Float) -> Float:
        squares = (difference - np.median(difference, 0)) ** 2
        return np.asarray(np.sqrt(squares.sum(-1)))

    error = distance(found - true)
    rigid = np.broadcast_to(true.mean((1, 2), keepdims=True), true.shape)
    return {
        "rmse": _rms(error),
        "p95": float(np.percentile(error, 95)),
        "identity": _rms(distance(-true)),
        "rigid_only": _rms(distance(rigid - true)),
    }


def resample_field(
    field: ArrayLike, y: ArrayLike, x: ArrayLike, to_y: ArrayLike, to_x: ArrayLike
) -> Float:
    """Return displacements at other points: linear, constant outside the given ones.

    Parameters
    ----------
    field : array_like
        Shape (n_frames, len(y), len(x), 2).
    y, x, to_y, to_x : array_like
        Pixel coordinates; ``y`` and ``x`` rising.
    """

    def weights(points: ArrayLike, to: ArrayLike) -> Float:
        at, wanted = (np.atleast_1d(np.asarray(p, float)) for p in (points, to))
        return np.stack([np.interp(wanted, at, unit) for unit in np.eye(len(at))], 1)

    w_y, w_x = weights(y, to_y), weights(x, to_x)
    values = np.asarray(field, float)
    return np.asarray(np.einsum("gi,tijc,hj->tghc", w_y, values, w_x, optimize=True))
