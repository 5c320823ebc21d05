"""Do merges and splits again that a history names."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import xarray as xr

from napari_mesmerize.curation.merge_split import (
    Curation,
    carry_table,
    merge_components,
    split_component,
)
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress, silent

_MERGE, _SPLIT = "merge_components", "split_component"


def curation_steps(
    history: Iterable[Mapping[str, Any]], *, beyond: Components | None = None
) -> list[dict[str, Any]]:
    """Return the merges and splits of a history.

    Parameters
    ----------
    history : iterable of mapping
        Such as ``components.history``, or what a journal kept of it.
    beyond : Components, optional
        Leave out the steps that are in its history already.

    Returns
    -------
    list of dict
        Steps whose operation is a merge or a split, in their order.

    Notes
    -----
    Use it to count or to replay what was curated. Tags and verdicts are not in it; they
    are in the ROI table and in a project's journal.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import Components
    >>> from napari_mesmerize.data.rois import footprints_from_masks
    >>> masks = np.zeros((3, 16, 16))
    >>> masks[0, 2:6, 2:6] = masks[1, 5:9, 2:6] = masks[2, 11:14, 11:14] = 1
    >>> traces = np.random.default_rng(1).random((3, 50))
    >>> components = Components.build(
    ...     footprints_from_masks(masks), (16, 16), {"raw": traces}
    ... )
    >>> from napari_mesmerize.curation import curation_steps, merge_components
    >>> merged = merge_components(components, [0, 1]).components
    >>> [step["operation"] for step in curation_steps(merged.history)]
    ['merge_components']
    """
    known = set() if beyond is None else {step.get("id") for step in beyond.history}
    return [
        dict(step)
        for step in history
        if step.get("operation") in (_MERGE, _SPLIT) and step.get("id") not in known
    ]


def replay_curation(
    components: Components,
    history: Iterable[Mapping[str, Any]],
    *,
    table: pd.DataFrame | None = None,
    recording: xr.DataArray | None = None,
    progress: Progress = silent,
) -> tuple[Components, pd.DataFrame | None]:
    """Merge and split again, as a history says.

    The same steps on the same components give the same footprints, traces and ids, so
    that a journal of steps brings curation back after a crash, and the last step is
    undone by doing all but the last.

    Parameters
    ----------
    components : Components
        As they were before; steps in their own history are not done again.
    history : iterable of mapping
        Steps; other operations than merges and splits are passed over.
    table : pandas.DataFrame, optional
        Their ROI table, carried along.
    recording : xarray.DataArray, optional
        Splits that looked at the movie need it.
    progress : Progress, optional
        Wraps the loop over steps.

    Returns
    -------
    components : Components
        After the steps.
    table : pandas.DataFrame or None
        Likewise.

    Raises
    ------
    ParameterError
        If a step names an ROI that is not there.

    Notes
    -----
    Use it to repeat merges and splits on the same components, for instance after a
    crash. It does not fit another extraction, even of the same recording: its ROIs have
    other ids.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import Components
    >>> from napari_mesmerize.data.rois import footprints_from_masks
    >>> masks = np.zeros((3, 16, 16))
    >>> masks[0, 2:6, 2:6] = masks[1, 5:9, 2:6] = masks[2, 11:14, 11:14] = 1
    >>> traces = np.random.default_rng(1).random((3, 50))
    >>> components = Components.build(
    ...     footprints_from_masks(masks), (16, 16), {"raw": traces}
    ... )
    >>> from napari_mesmerize.curation import merge_components, replay_curation
    >>> merged = merge_components(components, [0, 1]).components
    >>> again, _ = replay_curation(components, merged.history)
    >>> again.roi_ids == merged.roi_ids
    True
    """
    steps = curation_steps(history, beyond=components)
    for step in progress(steps, desc="Merging and splitting", total=len(steps)):
        curation = _again(components, step, recording)
        if table is not None:
            table = carry_table(table, curation)
        components = curation.components
    return components, table


def _again(
    components: Components, step: Mapping[str, Any], recording: xr.DataArray | None
) -> Curation:
    params = step.get("params") or {}
    if step["operation"] == _MERGE:
        return merge_components(components, _positions(components, params["roi_ids"]))
    (position,) = _positions(components, [params["roi_id"]])
    by, n_parts = params["by"], int(params["n_parts"])
    if not params.get("looked", by == "activity"):
        recording = None
    return split_component(
        components, position, by=by, n_parts=n_parts, recording=recording
    )


def _positions(components: Components, roi_ids: Iterable[str]) -> list[int]:
    place = {name: i for i, name in enumerate(components.roi_ids)}
    wanted = list(roi_ids)
    missing = [name for name in wanted if name not in place]
    if missing:
        raise ParameterError(
            f"The history merges or splits ROI {missing[0]}, which is not among these "
            f"{len(components)} components; give those that it was made with."
        )
    return [place[name] for name in wanted]
