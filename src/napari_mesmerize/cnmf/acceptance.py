"""Accept or reject components by thresholds on their scores."""

import numpy as np
import pandas as pd

from napari_mesmerize.cnmf.params import Cnmf3dParams, Params
from napari_mesmerize.cnmf.settings import Settings


def accept(scores: pd.DataFrame, settings: Settings, params: Params) -> pd.DataFrame:
    """Return the scores with the column ``rejected_because``, empty where accepted."""
    scores = scores.copy()
    reasons = np.full(len(scores), "", dtype=object)
    if len(scores):
        rules = [
            ("quality", 0.5, "does not look like a cell"),
            ("snr", params.min_snr, "weak"),
        ]
        if isinstance(params, Cnmf3dParams):
            rules.append(("planes", params.min_planes, "in too few planes"))
        for column, least, words in rules:
            fails = scores[column].to_numpy() < least
            for i in np.flatnonzero(fails):
                value = scores[column].iloc[i]
                reason = f"{words}: {column} {value:.3g} below {least:g}"
                reasons[i] = f"{reasons[i]}; {reason}" if reasons[i] else reason
    scores["rejected_because"] = reasons
    return scores


def advice(scores: pd.DataFrame, accepted: np.ndarray) -> str:
    """Return what to try where nothing was accepted; empty otherwise."""
    if accepted.any():
        return ""
    if not len(scores):
        return (
            "No component was found. Lower detection_threshold, and check "
            "cell_diameter, decay_time_s and the frame rate: events of cells of that "
            "size and decay are looked for."
        )
    best = scores.iloc[int(np.argmax(scores["quality"].to_numpy()))]
    return (
        f"{len(scores)} components were found and none accepted. The best candidate "
        f"was kept out because it is {best['rejected_because']}."
    )
