"""Accept or reject components by thresholds on their scores."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from napari_mesmerize.cnmf.judge.neighbours import standing
from napari_mesmerize.cnmf.params import Cnmf3dParams, Params
from napari_mesmerize.data.components import Components
from napari_mesmerize.history import StepTimer

Limits = NDArray[np.float64]
Flags = NDArray[np.bool_]
CLEAR = 30.0  # energy from which a footprint's size is known well
SMALLER = 0.75  # share of the least sizes that components which stand alone may have


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
    neighbour_tolerance : float
        How much lower ``min_shape`` and ``min_shape_corrected`` are for components that
        stand alone, with activity of their own; for those that repeat a stronger
        neighbour they are higher by twice as much. What stands alone may also be
        smaller by a quarter.

    Notes
    -----
    Use it with :func:`evaluate`, after a run; before a run, the same values are fields
    of the params. Raise ``min_snr`` where noise is accepted, ``min_shape`` where
    neuropil or vessels are.

    Examples
    --------
    >>> from napari_mesmerize.cnmf import Thresholds
    >>> Thresholds(min_snr=5).min_snr
    5.0
    """

    min_shape: float = 0.55
    min_shape_corrected: float = 0.75
    max_size_factor: float = 2.2
    min_clear_size: float = 0.6
    min_snr: float = 2.5
    min_planes: int = 0
    neighbour_tolerance: float = 0.05


def thresholds_of(params: Params) -> Thresholds:
    """Return the thresholds that a params model holds.

    Parameters
    ----------
    params : CnmfParams, CnmfeParams or Cnmf3dParams
        Parameters of an extraction.

    Returns
    -------
    Thresholds
        The same thresholds, for :func:`evaluate`.

    Notes
    -----
    Use it as a start, to change one threshold and keep the others as they were in the
    run.

    Examples
    --------
    >>> from napari_mesmerize import CnmfeParams
    >>> from napari_mesmerize.cnmf import thresholds_of
    >>> thresholds = thresholds_of(CnmfeParams())
    >>> thresholds.model_copy(update={"min_snr": 4.0}).min_shape
    0.6
    """
    return Thresholds(
        min_shape=params.min_shape,
        min_shape_corrected=params.min_shape_corrected,
        max_size_factor=params.max_size_factor,
        min_clear_size=params.min_clear_size,
        min_snr=params.min_snr,
        min_planes=params.min_planes if isinstance(params, Cnmf3dParams) else 0,
        neighbour_tolerance=params.neighbour_tolerance,
    )


def reasons_against(scores: pd.DataFrame, thresholds: Thresholds) -> list[str]:
    """Return for each component why it is rejected; empty where it is accepted."""
    reasons = [""] * len(scores)

    def note(column: str, limits: Limits, fails: Flags, words: str, way: str) -> None:
        values = scores[column].to_numpy(np.float64)
        for i in np.flatnonzero(fails).tolist():
            text = f"{words}: {column} {values[i]:.3g} {way} {limits[i]:.3g}"
            reasons[i] = f"{reasons[i]}; {text}" if reasons[i] else text

    alone = standing(scores)
    small = np.where((alone > 0) & (thresholds.neighbour_tolerance > 0), SMALLER, 1.0)
    for column, limits, least, words in _rules(thresholds, alone, small):
        if column not in scores:
            continue
        values = scores[column].to_numpy(np.float64)
        fails = values < limits if least else values > limits
        note(column, limits, fails, words, "below" if least else "above")
    if {"energy", "relative_area"} <= set(scores.columns):
        area = scores["relative_area"].to_numpy(np.float64)
        limits = small * thresholds.min_clear_size
        fails = (scores["energy"].to_numpy(np.float64) > CLEAR) & (area < limits)
        fails &= np.array(["small" not in reason for reason in reasons], bool)
        note("relative_area", limits, fails, "small for its strength", "below")
    return reasons


def _rules(
    thresholds: Thresholds, alone: NDArray[np.intp], small: Limits
) -> list[tuple[str, Limits, bool, str]]:
    """Return (score, limit of each component, whether it is the least, words)."""
    same = np.ones(len(alone))
    rules = [
        (name, _likeness_limits(limit, alone, thresholds), True, words)
        for name, limit, words in (
            ("shape", thresholds.min_shape, "does not look like a cell"),
            (
                "shape_corrected",
                thresholds.min_shape_corrected,
                "does not look like a cell beyond noise",
            ),
        )
        if limit
    ]
    if thresholds.min_snr:
        rules.append(("snr", same * thresholds.min_snr, True, "weak"))
    factor = thresholds.max_size_factor
    if factor:
        rules.append(("relative_area", small / factor, True, "small"))
        rules.append(("relative_area", same * factor, False, "large"))
    if thresholds.min_planes:
        rules.append(("planes", same * thresholds.min_planes, True, "in few planes"))
    return rules


def _likeness_limits(
    limit: float, alone: NDArray[np.intp], thresholds: Thresholds
) -> Limits:
    """Return the least likeness of each component: less alone, more as repetition.

    No more than the way from ``limit`` to 1 less, and half of it more: a limit of 1
    accepts nothing.
    """
    tolerance = thresholds.neighbour_tolerance
    lower = max(limit - min(tolerance, 1 - limit), 0.0)
    higher = limit + min(2 * tolerance, (1 - limit) / 2)
    return np.where(alone > 0, lower, np.where(alone < 0, higher, limit))


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

    Notes
    -----
    Use it to move thresholds after a run; it takes no time. It cannot bring back what
    the search did not find: lower ``detection_threshold`` and run again for that. It
    replaces ``accepted`` of all components; verdicts given by hand in napari are kept
    by its dock, not here.

    Examples
    --------
    >>> from napari_mesmerize import extract_components, simulate
    >>> recording, truth = simulate("2p-small", seed=1, shape=(150, 48, 48), n_cells=4)
    >>> from napari_mesmerize.cnmf import Thresholds, evaluate
    >>> components = extract_components(recording)
    >>> strict = evaluate(components, Thresholds(min_snr=1000))
    >>> len(strict) == len(components), int(strict.accepted.sum())
    (True, 0)
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
            "cell_diameter, decay_time_s and the frame rate: the search expects events "
            "of cells with this size and decay."
        )
    best = scores.iloc[int(np.argmax(scores["shape"].to_numpy()))]
    return (
        f"{len(scores)} components were found and none accepted. The best candidate "
        f"was rejected: {best['rejected_because']}."
    )


_JUDGING = ("extract_components", "evaluate")
OFF = Thresholds(**dict.fromkeys(Thresholds.model_fields, 0))


def first_thresholds(history: list[dict[str, Any]]) -> Thresholds:
    """Return those of the run; none for what another program found."""
    return OFF if was_imported(history) else thresholds_of_run(history)


def was_imported(history: list[dict[str, Any]]) -> bool:
    """Say whether no extraction or evaluation of ours judged these ROIs."""
    steps = {step.get("operation") for step in history}
    return bool(steps) and not steps & set(_JUDGING)


def thresholds_of_run(history: list[dict[str, Any]]) -> Thresholds:
    """Return the thresholds that the last extraction or evaluation used."""
    for step in reversed(history):
        if step.get("operation") in _JUDGING:
            params = step.get("params") or {}
            known = {k: v for k, v in params.items() if k in Thresholds.model_fields}
            try:
                return Thresholds(**known)
            except ValidationError:
                break
    return Thresholds()
