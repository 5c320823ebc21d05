"""An image of the recording (mean, maximum, correlation, ...) with a scale bar."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.plots._axes import axes_or_new


def plot_projection(
    image: ArrayLike,
    *,
    ax: Axes | None = None,
    title: str = "",
    percentiles: tuple[float, float] = (1.0, 99.7),
    limits: tuple[float, float] | None = None,
    pixel_size_um: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Axes:
    """Show an image, y downwards, contrast from its percentiles.

    Parameters
    ----------
    image : array_like
        Shape (height, width), or (n_planes, height, width): the maximum over planes is
        shown.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    title : str, optional
        Title.
    percentiles : tuple of float, optional
        Darkest and brightest grey, percent of the pixels.
    limits : tuple of float, optional
        The same in the image's units; to show two images with common contrast.
    pixel_size_um : tuple of float, optional
        (y, x), micrometres; draws a scale bar.
    **kwargs
        Passed to ``imshow``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with one image on them.

    Notes
    -----
    Give ``limits`` when two images are to be compared: with ``percentiles`` each image
    has a contrast of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.plots import plot_projection
    >>> ax = plot_projection(np.eye(32), title="mean", pixel_size_um=(0.8, 0.8))
    >>> ax.get_title(), ax.images[0].get_array().shape
    ('mean', (32, 32))
    """
    shown = np.asarray(image, dtype=np.float64)
    if shown.ndim == 3:
        shown = shown.max(axis=0)
    if shown.ndim != 2:
        raise ParameterError(
            f"An image has shape (height, width); this one has shape {shown.shape}."
        )
    ax = axes_or_new(ax)
    if limits is None:
        finite = shown[np.isfinite(shown)]
        low, high = np.percentile(finite, percentiles) if finite.size else (0.0, 1.0)
        limits = float(low), float(high)
    options: dict[str, Any] = {"cmap": "gray", "vmin": limits[0], "vmax": limits[1]}
    ax.imshow(shown, interpolation="nearest", **(options | kwargs))
    ax.set(xticks=[], yticks=[], title=title)
    if pixel_size_um is not None:
        _scale_bar(ax, shown.shape, pixel_size_um[1])
    return ax


def _scale_bar(ax: Axes, shape: tuple[int, ...], pixel_um: float) -> None:
    """Draw a bar of a round length, near a fifth of the width."""
    wanted = shape[1] * pixel_um / 5
    decade = 10.0 ** np.floor(np.log10(wanted))
    length = max(step * decade for step in (1, 2, 5) if step * decade <= wanted)
    right, y = 0.95 * shape[1], 0.95 * shape[0]
    left = right - length / pixel_um
    ax.plot([left, right], [y, y], color="white", linewidth=2.5)
    label = f"{length:g} µm"
    ax.text((left + right) / 2, y - 2, label, color="white", ha="center", va="bottom")
