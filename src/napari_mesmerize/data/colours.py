"""Colours of ROIs: one by one, by acceptance, by tag or by score."""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Okabe and Ito's colours, which people with any colour vision tell apart on black
TAG_COLOURS = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2",
    "#FFFFFF",
)  # fmt: skip
_UNTAGGED = (0.55, 0.55, 0.55, 0.9)
_REJECTED = (0.62, 0.28, 0.28, 0.75)
_ACCEPTED = (0.2, 0.85, 0.45, 1.0)


def colours_for(
    table: pd.DataFrame, colour_by: str, *, show_rejected: bool = True
) -> NDArray[np.float32]:
    """Return the colour of each ROI, (n_rois, 4), 0 to 1.

    Parameters
    ----------
    table : pandas.DataFrame
        The ROI table.
    colour_by : str
        ``"ROI"`` (each its own), ``"accepted"``, a tag column or a numeric column.
    show_rejected : bool, optional
        Draw rejected ROIs, dimmed.
    """
    accepted = table["accepted"].to_numpy(bool)
    if colour_by == "accepted":
        colours = np.where(accepted[:, None], _ACCEPTED, _REJECTED).astype(np.float32)
    elif colour_by in table and pd.api.types.is_numeric_dtype(table[colour_by]):
        colours = _by_score(table[colour_by].to_numpy(float))
    elif colour_by in table:
        colours = _by_tag(table[colour_by])
    else:
        colours = distinct_colours(len(table)).copy()
    if not show_rejected:
        colours[~accepted, 3] = 0
    elif colour_by != "accepted":
        colours[~accepted, 3] *= 0.35
    return colours


def colour_choices(roi_set: Any) -> list[str]:
    """Return what ROIs can be coloured by: tags, and columns of numbers."""
    choices = ["ROI", "accepted"]
    if roi_set is not None:
        numbers = roi_set.table.select_dtypes("number").columns
        choices += [*roi_set.tag_columns, *map(str, numbers)]
    return choices


@lru_cache(maxsize=8)
def distinct_colours(n: int) -> NDArray[np.float32]:
    """Return ``n`` bright colours, neighbours in the list far apart in hue."""
    hue = (np.arange(n) * 0.618033988749895 + 0.08) % 1.0
    value = np.where(np.arange(n) % 3 == 2, 0.82, 1.0)
    saturation = np.where(np.arange(n) % 2 == 1, 0.55, 0.85)
    return np.column_stack([_hsv(hue, saturation, value), np.ones(n)]).astype(
        np.float32
    )


def hex_colour(rgba: NDArray[np.floating]) -> str:
    """Return ``#rrggbb``."""
    red, green, blue = (np.clip(rgba[:3], 0, 1) * 255).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _hsv(
    hue: NDArray[np.floating],
    saturation: NDArray[np.floating],
    value: NDArray[np.floating],
) -> NDArray[np.floating]:
    shift = np.array([5.0, 3.0, 1.0])
    k = (shift + 6 * hue[:, None]) % 6
    ramp = np.clip(np.minimum(k, 4 - k), 0, 1)
    return np.asarray(value[:, None] * (1 - saturation[:, None] * ramp))


def _by_score(score: NDArray[np.floating]) -> NDArray[np.float32]:
    finite = np.isfinite(score)
    colours = np.tile(np.asarray(_UNTAGGED, np.float32), (len(score), 1))
    if finite.any():
        low, high = np.percentile(score[finite], (2, 98))
        share = np.clip((score[finite] - low) / max(high - low, 1e-12), 0, 1)
        # blue (low) over green to yellow (high)
        hue = 0.66 - 0.5 * share
        one = np.ones_like(hue)
        colours[finite] = np.column_stack([_hsv(hue, 0.8 * one, one), one])
    return colours


def _by_tag(tags: pd.Series) -> NDArray[np.float32]:
    values = tags.fillna("").astype(str)
    codes, names = pd.factorize(values, sort=True)
    palette = np.array([_rgba(i) for i in range(len(names))], np.float32).reshape(-1, 4)
    for i, name in enumerate(names):
        if name == "":
            palette[i] = _UNTAGGED
    return palette[codes] if len(codes) else np.empty((0, 4), np.float32)


def _rgba(position: int) -> tuple[float, float, float, float]:
    text = TAG_COLOURS[position % len(TAG_COLOURS)].lstrip("#")
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue, 1.0
