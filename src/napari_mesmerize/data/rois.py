"""The ROI table: a row per ROI with its kind, outline, acceptance, tags and scores.

Its index ``roi_id`` holds UUIDs; it is the ``features`` table of the layer that shows
the ROIs. Everything in it fits into Parquet. The arithmetic of ROIs is imported here
too, so that one module has all of it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_mesmerize.data.components import Components, new_roi_ids
from napari_mesmerize.data.footprints import (
    as_footprints,
    footprints_from_labels,
    footprints_from_masks,
    footprints_from_outlines,
    labels_from_footprints,
    outline_from_footprint,
    outlines_from_footprints,
    rois_at,
)
from napari_mesmerize.data.neuropil import neuropil_rings
from napari_mesmerize.data.outlines import (
    check_outline,
    mask_from_outline,
    outline_from_mask,
)
from napari_mesmerize.data.traces import dff, extract_traces
from napari_mesmerize.errors import ParameterError

__all__ = [
    "COLUMNS",
    "as_footprints",
    "check_roi_table",
    "dff",
    "empty_roi_table",
    "extract_traces",
    "footprints_from_labels",
    "footprints_from_masks",
    "footprints_from_outlines",
    "labels_from_footprints",
    "mask_from_outline",
    "neuropil_rings",
    "outline_from_footprint",
    "outline_from_mask",
    "outlines_from_footprints",
    "roi_table_from_components",
    "roi_table_from_outlines",
    "rois_at",
]

COLUMNS = ("kind", "outline", "accepted")
"""Columns of every ROI table; tag and score columns follow."""


def empty_roi_table(tags: Iterable[str] = ()) -> pd.DataFrame:
    """Return an ROI table without rows, with a column for each tag.

    Parameters
    ----------
    tags : iterable of str, optional
        Names of tag columns.

    Returns
    -------
    pandas.DataFrame
        No rows; columns ``kind``, ``outline``, ``accepted`` and the tags.

    Notes
    -----
    Use it as the start of a table to which ROIs are added. To make a table of ROIs that
    you have already, use :func:`roi_table_from_outlines`.

    Examples
    --------
    >>> from napari_mesmerize.data.rois import empty_roi_table
    >>> list(empty_roi_table(["region"]).columns)
    ['kind', 'outline', 'accepted', 'region']
    """
    return roi_table_from_outlines((), tags=tags)


def roi_table_from_outlines(
    outlines: Iterable[Any],
    kind: str = "drawn",
    *,
    tags: Iterable[str] = (),
    roi_ids: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the ROI table of polygons that were drawn or imported.

    Parameters
    ----------
    outlines : iterable
        Each of shape (n_vertices, 2 or 3), px.
    kind : str, optional
        Where they come from: ``drawn``, ``imported``, ...
    tags : iterable of str, optional
        Names of tag columns; untagged ROIs hold "".
    roi_ids : sequence of str, optional
        UUIDs; drawn where none are given.

    Returns
    -------
    pandas.DataFrame
        One row per outline; index ``roi_id``; columns ``kind``, ``outline``,
        ``accepted`` and the tags.

    Raises
    ------
    ParameterError
        If an outline is no polygon, or ids repeat.

    Notes
    -----
    Use it for polygons. For masks with holes or weights, make
    :class:`~napari_mesmerize.Components` and use :func:`roi_table_from_components`.

    Examples
    --------
    >>> from napari_mesmerize.data.rois import roi_table_from_outlines
    >>> table = roi_table_from_outlines([[(0, 0), (0, 5), (5, 5)]], tags=["cell_type"])
    >>> table["kind"].tolist(), table["cell_type"].tolist()
    (['drawn'], [''])
    """
    vertices = []
    for position, outline in enumerate(outlines):
        points = np.asarray(outline, dtype=float)
        ndim = points.shape[1] if points.ndim == 2 and points.shape[1] == 3 else 2
        try:
            vertices.append(check_outline(points, ndim).tolist())
        except ParameterError as error:
            raise ParameterError(f"ROI {position}: {error}") from error
    accepted = np.ones(len(vertices), bool)
    return _table(vertices, kind, accepted, tags, roi_ids)


def roi_table_from_components(
    components: Components,
    kind: str = "cnmf",
    *,
    tags: Iterable[str] = (),
    threshold: float = 0.2,
) -> pd.DataFrame:
    """Return the ROI table of components, rows in their order.

    Parameters
    ----------
    components : Components
        Their ids become the index, their scores columns.
    kind : str, optional
        What found them: ``cnmf``, ``cnmfe``, ...
    tags : iterable of str, optional
        Names of tag columns; untagged ROIs hold "".
    threshold : float, optional
        The outline surrounds what is above this fraction of a footprint's maximum; it
        keeps the largest piece and no holes.

    Returns
    -------
    pandas.DataFrame
        One row per component; index ``roi_id``; columns ``kind``, ``outline``,
        ``accepted``, the tags and the scores.

    Notes
    -----
    Use it to tag what an extraction found. The table keeps outlines only; keep the
    components too, which hold footprints and traces. Both are joined by ``roi_id``.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import Components
    >>> from napari_mesmerize.data.rois import (
    ...     footprints_from_masks,
    ...     roi_table_from_components,
    ... )
    >>> masks = np.zeros((2, 16, 16))
    >>> masks[0, 2:6, 2:6] = masks[1, 9:13, 9:13] = 1
    >>> components = Components.build(footprints_from_masks(masks), (16, 16), {})
    >>> table = roi_table_from_components(components, tags=["region"])
    >>> table["region"] = ["anterior", "posterior"]
    >>> table["kind"].tolist(), table["accepted"].tolist()
    (['cnmf', 'cnmf'], [True, True])
    """
    outlines = outlines_from_footprints(components, threshold=threshold)
    tags = tuple(tags)
    table = _table(outlines, kind, components.accepted, tags, components.roi_ids)
    taken = {*COLUMNS, *tags} & {str(name) for name in components.scores.columns}
    if taken:
        raise ParameterError(
            f"The scores {', '.join(sorted(taken))} have the names of columns of the "
            "ROI table; rename them."
        )
    for name, column in components.scores.items():
        table[str(name)] = column.to_numpy()
    return table


def _table(
    outlines: Sequence[Any],
    kind: str,
    accepted: Any,
    tags: Iterable[str],
    roi_ids: Sequence[str] | None,
) -> pd.DataFrame:
    ids = new_roi_ids(len(outlines)) if roi_ids is None else tuple(roi_ids)
    if len(ids) != len(outlines):
        raise ParameterError(f"{len(ids)} roi_ids for {len(outlines)} ROIs.")
    tags = tuple(tags)
    if len({*tags, *COLUMNS}) != len(tags) + len(COLUMNS):
        raise ParameterError(
            f"Tags must differ from each other and from {', '.join(COLUMNS)}; these "
            f"are {', '.join(tags)}."
        )
    index = pd.Index(ids, name="roi_id", dtype=object)
    columns: dict[str, Any] = {
        "kind": pd.Series([kind] * len(ids), index=index, dtype=object),
        "outline": pd.Series(list(outlines), index=index, dtype=object),
        "accepted": pd.Series(np.array(accepted, bool), index=index),
    }
    for tag in tags:
        columns[tag] = pd.Series([""] * len(ids), index=index, dtype=object)
    return check_roi_table(pd.DataFrame(columns, index=index))


def check_roi_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` if it is an ROI table.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``kind``, ``outline``, ``accepted`` and any others; index ``roi_id``.

    Returns
    -------
    pandas.DataFrame
        The table itself.

    Raises
    ------
    ParameterError
        If a column is missing, or the index is not ``roi_id`` with ids that differ.

    Notes
    -----
    Use it on a table that you made or changed by hand, before you save it in a project.
    Tables from :func:`roi_table_from_components` and :func:`roi_table_from_outlines`
    pass.

    Examples
    --------
    >>> from napari_mesmerize.data.rois import check_roi_table, roi_table_from_outlines
    >>> table = roi_table_from_outlines([[(0, 0), (0, 5), (5, 5)]])
    >>> len(check_roi_table(table))
    1
    """
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ParameterError(f"The ROI table lacks the columns {', '.join(missing)}.")
    if table.index.name != "roi_id":
        raise ParameterError(
            f"The index of the ROI table is '{table.index.name}'; expected 'roi_id'."
        )
    if not table.index.is_unique:
        repeated = table.index[table.index.duplicated()][0]
        raise ParameterError(f"The ROI table has the id {repeated} more than once.")
    return table
