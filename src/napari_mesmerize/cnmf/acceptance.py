"""Accept or reject components by thresholds on their scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel

from napari_mesmerize.cnmf.params import Cnmf3dParams, Params
from napari_mesmerize.components import Components
from napari_mesmerize.history import StepTimer

_NONE = np.zeros(0)
CLEAR = 30.0  # energy from which a footprint's size is known well


class Thresholds(BaseModel, frozen=True, extra="forbid"):
    """What a component must reach to be accepted; 0 switches a rule off.

    Attributes
    ----------
    min_shape : float
        Correlation of its average image with a typical cell (r_values_min).
    min_shape_corrected : float
        The same, corrected for the image's noise.
    max_size_factor : float
        Area against that of a typical cell: at most this many times, and at least one
        over it.
    min_clear_size : float
        Area against that of a typical cell which clear components have at least; noise
        makes only the footprints of weak ones smaller.
    min_snr : float
        Peak of the trace over its noise (min_SNR).
    min_planes : int
        Planes that it reaches over, in volumes.
    """

    min_shape: float = 0.55
    min_shape_corrected: float = 0.75
    max_size_factor: float = 2.2
    min_clear_size: float = 0.6
    min_snr: float = 2.5
    min_planes: int = 0


def thresholds_of(params: Params) -> Thresholds:
    """Return the thresholds that a params model holds."""
    return Thresholds(
        min_shape=params.min_shape,
        min_shape_corrected=params.min_shape_corrected,
        max_size_factor=params.max_size_factor,
        min_clear_size=params.min_clear_size,
        min_snr=params.min_snr,
        min_planes=params.min_planes if isinstance(params, Cnmf3dParams) else 0,
    )


def reasons_against(scores: pd.DataFrame, thresholds: Thresholds) -> list[str]:
    """Return for each component why it is rejected; empty where it is accepted."""
    reasons = [""] * len(scores)
    factor = thresholds.max_size_factor
    rules: list[tuple[str, float, bool, str]] = [
        ("shape", thresholds.min_shape, True, "does not look like a cell"),
        (
            "shape_corrected",
            thresholds.min_shape_corrected,
            True,
            "does not look like a cell beyond noise",
        ),
        ("snr", thresholds.min_snr, True, "weak"),
    ]
    if factor:
        rules.append(("relative_area", 1 / factor, True, "small"))
        rules.append(("relative_area", factor, False, "large"))
    if thresholds.min_planes and "planes" in scores:
        rules.append(("planes", thresholds.min_planes, True, "in few planes"))
    for column, limit, least, words in rules:
        if column not in scores or (least and not limit):
            continue
        values = scores[column].to_numpy(np.float64)
        fails = values < limit if least else values > limit
        end = f"{'below' if least else 'above'} {limit:.3g}"
        failing = np.flatnonzero(fails)
        for i, value in zip(failing.tolist(), values[failing].tolist(), strict=True):
            text = f"{words}: {column} {value:.3g} {end}"
            reasons[i] = f"{reasons[i]}; {text}" if reasons[i] else text
    energy = scores["energy"].to_numpy(np.float64) if "energy" in scores else _NONE
    clear = np.flatnonzero(energy > CLEAR)
    areas = scores["relative_area"].to_numpy(np.float64)[clear] if len(clear) else _NONE
    for i, area in zip(clear.tolist(), areas.tolist(), strict=True):
        if area < thresholds.min_clear_size and "small" not in reasons[i]:
            text = f"small for its strength: relative_area {area:.3g}"
            text += f" below {thresholds.min_clear_size:.3g}"
            reasons[i] = f"{reasons[i]}; {text}" if reasons[i] else text
    return reasons


def evaluate(components: Components, thresholds: Thresholds) -> Components:
    """Accept and reject anew with other thresholds, without computing anything again.

    Parameters
    ----------
    components : Components
        Of an extraction; their ``scores`` are used.
    thresholds : Thresholds
        The new rule.

    Returns
    -------
    Components
        The same with new ``accepted`` and ``scores["rejected_because"]``.
    """
    scores = components.scores.copy()
    reasons = reasons_against(scores, thresholds)
    scores["rejected_because"] = reasons
    accepted = np.array([reason == "" for reason in reasons], bool)
    scores.attrs["advice"] = advice(scores, accepted)
    timer = StepTimer("evaluate", thresholds, inputs=[components])
    return replace(
        components,
        scores=scores,
        accepted=accepted,
        history=timer.extend(components.history),
    )


def advice(scores: pd.DataFrame, accepted: NDArray[np.bool_]) -> str:
    """Return what to try where nothing was accepted; empty otherwise."""
    if accepted.any():
        return ""
    if not len(scores):
        return (
            "No component was found. Lower detection_threshold, and check "
            "cell_diameter, decay_time_s and the frame rate: events of cells of that "
            "size and decay are looked for."
        )
    best = scores.iloc[int(np.argmax(scores["shape"].to_numpy()))]
    return (
        f"{len(scores)} components were found and none accepted. The best candidate "
        f"was kept out because it is {best['rejected_because']}."
    )
