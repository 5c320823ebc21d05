"""Merge and split components after a run, without running it again."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage, sparse

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.curation.demix import activity_parts, demix, read_rest, scores_of
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.progress import Progress, silent

_NAMESPACE = uuid.UUID("b6a3f7a2-6a60-4c6b-9d1e-0e8f0c9a5d11")


def derived_ids(what: str, parents: Sequence[str], n_made: int) -> tuple[str, ...]:
    """Return UUIDs that follow from what was done with which ROIs.

    Parameters
    ----------
    what : str
        The operation and its options.
    parents : sequence of str
        Ids of the ROIs it was done with.
    n_made : int
        How many ROIs it makes.
    """
    text = "\n".join([what, *sorted(parents)])
    return tuple(str(uuid.uuid5(_NAMESPACE, f"{text}\n{i}")) for i in range(n_made))


_ROUNDS = 20
_LEVEL = 0.2  # of the maximum: pixels that count as the footprint
_SMALLEST_PIECE = 4  # pixels


class Curation(NamedTuple):
    """Components after a merge or a split.

    Attributes
    ----------
    components : Components
        The others are as they were.
    parents : dict of str to tuple of str
        For each new id the ids that it was made of.
    """

    components: Components
    parents: dict[str, tuple[str, ...]]


def merge_components(components: Components, positions: Sequence[int]) -> Curation:
    """Make one component of several.

    Footprint and trace are the rank-1 product that is nearest to the sum of the merged
    components. Components without a background, such as masks, get the union of the
    footprints and the mean of the traces, weighted by area. Shape scores, which need
    the movie, become NaN, which means that they were not judged.

    Parameters
    ----------
    components : Components
        Of an extraction.
    positions : sequence of int
        Which ones, at least two.

    Returns
    -------
    Curation
        ``components`` after the merge; ``parents`` names what the new one was made of.

    Raises
    ------
    ParameterError
        If fewer than two, or positions that do not exist, are given.

    Notes
    -----
    Use it where one cell was found in pieces: they touch, and their traces correlate
    (:func:`related` lists both). Two neighbours that merely fire together are two
    cells. Shape scores are unknown (NaN) afterwards, and
    :func:`~napari_mesmerize.cnmf.evaluate` leaves unknown scores alone.

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
    >>> from napari_mesmerize.curation import merge_components
    >>> merged, parents = merge_components(components, [0, 1])
    >>> len(merged), [len(old) for old in parents.values()]
    (2, [2])
    """
    chosen = sorted({int(position) for position in positions})
    _check_positions(components, chosen)
    if len(chosen) < 2:
        raise ParameterError(
            f"{len(chosen)} component was given to merge; choose at least two."
        )
    ids = tuple(components.roi_ids[i] for i in chosen)
    timer = StepTimer("merge_components", {"roi_ids": ids}, inputs=[components])
    some = components.select(chosen)
    space, time = _rank_one(some)
    footprint = some.footprints @ space[:, None]
    top = max(float(footprint.max()), 1e-12)
    traces = {}
    for kind, values in some.traces.items():
        weights = time * top
        if kind in ("dff", "neuropil"):  # levels, not amounts that add up
            weights = time / max(float(time.sum()), 1e-12)
        traces[kind] = (weights @ values)[None].astype(np.float32)
    merged = sparse.csc_array(footprint / top, dtype=np.float32)
    ids_of_new = derived_ids("merge", ids, 1)
    new = _new(components, merged, traces, some.scores, ids_of_new)
    order = [i for i in range(len(components)) if i not in chosen[1:]]
    order[order.index(chosen[0])] = len(components)
    together = _put_together(components, new, order, timer)
    return Curation(together, {new.roi_ids[0]: ids})


def split_component(
    components: Components,
    position: int,
    *,
    by: Literal["pieces", "activity"] = "activity",
    n_parts: int = 2,
    recording: xr.DataArray | None = None,
    progress: Progress = silent,
) -> Curation:
    """Make several components of one.

    Parameters
    ----------
    components : Components
        Of an extraction.
    position : int
        Which one.
    by : str, optional
        ``"pieces"``: connected pieces of its footprint; ``"activity"``: groups of
        pixels that are active together (k-means of the pixels' time courses).
    n_parts : int, optional
        Number of groups; pieces are as many as there are.
    recording : xarray.DataArray, optional
        What the components were extracted from. Activity needs it; pieces without it
        all keep the trace of the whole.
    progress : Progress, optional
        Wraps reading of the pixels.

    Returns
    -------
    Curation
        ``components`` after the split; ``parents`` names what the parts were made of.

    Raises
    ------
    ParameterError
        If it can not be split; the text says why.

    Notes
    -----
    Use ``"activity"`` where two cells overlap in one footprint, ``"pieces"`` where the
    footprint's parts do not touch. If the parts' traces correlate highly afterwards, it
    was one cell: keep the old components.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import Components
    >>> from napari_mesmerize.curation import split_component
    >>> from napari_mesmerize.data.rois import footprints_from_masks
    >>> mask = np.zeros((1, 16, 16))
    >>> mask[0, 2:6, 2:6] = mask[0, 10:14, 10:14] = 1
    >>> components = Components.build(
    ...     footprints_from_masks(mask), (16, 16), {"raw": np.ones((1, 20))}
    ... )
    >>> len(split_component(components, 0, by="pieces").components)
    2
    """
    _check_positions(components, [int(position)])
    name = components.roi_ids[position]
    params = {"roi_id": name, "by": by, "n_parts": n_parts}
    params["looked"] = recording is not None
    timer = StepTimer("split_component", params, inputs=[components])
    image = components.footprint_image(position)
    rest = None
    if recording is not None:
        rest = read_rest(components, position, recording, progress)
    if by == "pieces":
        parts = _pieces(image)
        if len(parts) < 2:
            raise ParameterError(
                "The footprint is one connected piece; split it by activity instead."
            )
    elif rest is None:
        raise ParameterError(
            "Splitting by activity needs the recording that the components were "
            "extracted from; open it, or split into pieces."
        )
    else:
        parts = activity_parts(rest, image, n_parts)
    one = components.select([position])
    if rest is None:
        flat = parts.reshape(len(parts), -1).T
        footprints = sparse.csc_array(flat / flat.max(axis=0))
        traces = {k: np.repeat(t, len(parts), axis=0) for k, t in one.traces.items()}
    else:
        footprints, traces = demix(
            components, one, parts, rest, refine=by == "activity"
        )
        active = traces.get("denoised", np.ones((len(parts), 1)))
        if by == "activity" and not active.any(axis=1).all():
            raise ParameterError(
                f"One of {n_parts} parts would have no activity of its own; it is "
                "probably one cell. Ask for other parts, or leave it whole."
            )
    made = derived_ids(f"split {by} {n_parts}", (name,), footprints.shape[1])
    new = _new(components, footprints, traces, one.scores, made)
    order = [
        *range(len(components)),
        *range(len(components), len(components) + len(new)),
    ]
    order[position] = len(components)
    order.pop(len(components))
    parents: dict[str, tuple[str, ...]] = dict.fromkeys(new.roi_ids, (name,))
    return Curation(_put_together(components, new, order, timer), parents)


def carry_table(table: pd.DataFrame, curation: Curation) -> pd.DataFrame:
    """Return the ROI table after a merge or a split.

    Rows of untouched ROIs stay. New ones take the kind of their parents, and each tag
    on which all parents agree that have one.

    Parameters
    ----------
    table : pandas.DataFrame
        The ROI table before.
    curation : Curation
        What :func:`merge_components` or :func:`split_component` returned.

    Returns
    -------
    pandas.DataFrame
        One row per component of the curation, in their order.

    Notes
    -----
    Use it after each merge or split, so that tags survive. Where parents disagree on a
    tag, the new ROI is untagged. :func:`replay_curation` carries the table along by
    itself.

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
    >>> from napari_mesmerize.curation import carry_table, merge_components
    >>> from napari_mesmerize.data.rois import roi_table_from_components
    >>> table = roi_table_from_components(components, tags=["region"])
    >>> table["region"] = ["anterior", "anterior", "posterior"]
    >>> carry_table(table, merge_components(components, [0, 1]))["region"].tolist()
    ['anterior', 'posterior']
    """
    components, parents = curation
    fresh = [i for i, name in enumerate(components.roi_ids) if name in parents]
    rows = roi_table_from_components(components.select(fresh))
    for column in table.columns:
        if column in ("outline", "accepted") or column in components.scores:
            continue
        rows[column] = [
            _agreed(table.loc[list(parents[i]), column]) for i in rows.index
        ]
    kept = table.loc[[i for i in components.roi_ids if i not in parents]]
    both = pd.concat([kept, rows[list(table.columns)]])
    both = both.loc[list(components.roi_ids)]
    both.index = pd.Index(both.index, dtype=table.index.dtype, name=table.index.name)
    return both


def related(components: Components, position: int) -> pd.DataFrame:
    """Return the components that overlap or touch one, the most alike first.

    Parameters
    ----------
    components : Components
        Of an extraction.
    position : int
        The component whose neighbours are wanted.

    Returns
    -------
    pandas.DataFrame
        Columns ``position``, ``overlap`` (cosine of the footprints) and ``correlation``
        (of the traces).

    Raises
    ------
    ParameterError
        If there is no component at this position.

    Notes
    -----
    Use it to find candidates for a merge: pieces of one cell overlap or touch, and
    correlate above about 0.8. Components that lie apart are not listed, however alike
    they are.

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
    >>> from napari_mesmerize.curation import related
    >>> related(components, 0)["position"].tolist()
    [1]
    """
    _check_positions(components, [int(position)])
    matrix = components.footprints
    touching = np.flatnonzero(matrix.T @ _surroundings(components, position))
    touching = touching[touching != position]
    both = matrix[:, [position, *touching]]
    products = np.asarray((both.T @ both).toarray())
    norms = np.sqrt(np.maximum(np.diag(products), 1e-12))
    overlap = products[0, 1:] / (norms[0] * norms[1:])
    kind = "denoised" if "denoised" in components.traces else "raw"
    correlation = np.zeros(len(touching))
    if kind in components.traces:
        traces = components.traces[kind]
        own = _standardised(traces[[position]])[0]
        correlation = _standardised(traces[touching]) @ own
    found = pd.DataFrame(
        {"position": touching, "overlap": overlap, "correlation": correlation}
    )
    return found.sort_values("correlation", ascending=False, ignore_index=True)


def _surroundings(components: Components, position: int) -> FloatArray:
    """Return 1 on a component's pixels and those beside them, flat; 0 elsewhere."""
    shape = components.image_shape
    around = np.zeros(int(np.prod(shape)), np.float32)
    where = np.unravel_index(components.footprints[:, [position]].indices, shape)
    steps = np.indices((3,) * len(shape)).reshape(len(shape), -1) - 1
    near = np.stack(where)[:, :, None] + steps[:, None]
    inside = (near >= 0) & (near < np.array(shape)[:, None, None])
    near = near[:, inside.all(axis=0)]
    around[np.ravel_multi_index(tuple(near), shape)] = 1
    return around


def _standardised(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = traces - traces.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(norms, 1e-12), np.float32)


def _agreed(values: "pd.Series[Any]") -> Any:
    said = values[values != ""]  # an untagged ROI says nothing
    if said.empty:
        return ""
    first = said.iloc[0]
    return first if (said == first).all() else ""


def _check_positions(components: Components, positions: Sequence[int]) -> None:
    outside = [i for i in positions if not 0 <= i < len(components)]
    if outside:
        raise ParameterError(
            f"There is no component {outside[0]}; there are {len(components)}, counted "
            "from 0."
        )


def _rank_one(some: Components) -> tuple[FloatArray, FloatArray]:
    """Return the weights of footprints and traces whose product is nearest the sum."""
    sizes = np.asarray(some.footprints.sum(axis=0), np.float32).ravel()
    union = np.ones(len(some), np.float32)
    mean = sizes / max(float(sizes.sum()), 1e-12)
    traces = some.traces.get("denoised", some.traces.get("raw"))
    if some.background is None or traces is None:
        return union, mean
    in_space = (some.footprints.T @ some.footprints).toarray().astype(np.float64)
    in_time = (traces @ traces.T).astype(np.float64)
    if not np.trace(in_time) > 0:
        return union, mean
    space = np.sqrt(np.diag(in_time))
    time = space
    for _ in range(_ROUNDS):
        time = in_space @ space / max(float(space @ in_space @ space), 1e-12)
        space = in_time @ time / max(float(time @ in_time @ time), 1e-12)
        space, time = np.maximum(space, 0), np.maximum(time, 0)
    return space.astype(np.float32), time.astype(np.float32)


def _pieces(image: FloatArray) -> FloatArray:
    """Return the connected pieces of a footprint, (n, *image_shape), largest first."""
    full = np.ones((3,) * image.ndim)
    labels, _ = ndimage.label(image > _LEVEL * image.max(), structure=full)
    sizes = np.bincount(labels.ravel())[1:]
    numbers = [i + 1 for i in np.argsort(-sizes) if sizes[i] >= _SMALLEST_PIECE]
    # weak pixels between belong to the piece that is nearest
    nearest: Any = ndimage.distance_transform_edt(
        ~np.isin(labels, numbers), return_distances=False, return_indices=True
    )
    owner = labels[tuple(nearest)]
    return np.stack([np.where(owner == i, image, 0) for i in numbers]).astype(
        np.float32
    )


def _new(
    components: Components,
    footprints: "sparse.csc_array[Any]",
    traces: Mapping[str, FloatArray],
    parents: pd.DataFrame,
    roi_ids: Sequence[str],
) -> Components:
    new = Components.build(
        footprints,
        components.image_shape,
        traces,
        frame_rate=components.frame_rate,
    )
    scores = scores_of(new, parents)
    return Components.build(
        footprints,
        components.image_shape,
        traces,
        scores=scores,
        roi_ids=roi_ids,
        frame_rate=components.frame_rate,
    )


def _put_together(
    old: Components, new: Components, order: list[int], timer: StepTimer
) -> Components:
    """Return old and new components in an order that leaves some out."""
    footprints = sparse.hstack([old.footprints, new.footprints], format="csc")
    ids = (*old.roi_ids, *new.roi_ids)
    scores = pd.concat([old.scores, new.scores]).iloc[order]
    return Components.build(
        footprints[:, order],
        old.image_shape,
        {k: np.concatenate([old.traces[k], new.traces[k]])[order] for k in old.traces},
        scores=scores,
        accepted=np.concatenate([old.accepted, new.accepted])[order],
        roi_ids=[ids[i] for i in order],
        background=old.background,
        frame_rate=old.frame_rate,
        history=timer.extend(old.history),
    )
