"""Event sets and vessel sets of Inscopix, as traces of ROIs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.inscopix.events import event_traces
from napari_mesmerize.io.inscopix.vessels import VesselSet

_SECOND = {"diameter": "position", "velocity": "direction"}


def components_of_vessels(vessels: VesselSet, *, source: str = "") -> Components:
    """Return vessels as components: the pixels of each line, its trace, its status.

    Parameters
    ----------
    vessels : VesselSet
        As from :func:`~napari_mesmerize.io.inscopix.vessels.read_vessel_set`.
    source : str, optional
        The file, for the history.

    Returns
    -------
    Components
        Traces ``diameter`` or ``velocity``, and ``position`` or ``direction`` where the
        file has it; scores ``name`` and ``status``.
    """
    timer = StepTimer("read_vessel_set", {"kind": vessels.kind}, inputs=[source])
    shape = (int(vessels.image.shape[0]), int(vessels.image.shape[1]))
    masks = [_mask(points, shape).ravel() for points in vessels.lines]
    stacked = np.stack(masks, axis=1) if masks else np.zeros((shape[0] * shape[1], 0))
    traces = {vessels.kind: vessels.traces}
    if vessels.second is not None:
        traces[_SECOND[vessels.kind]] = vessels.second
    statuses = np.array(vessels.statuses, object)
    judged = (statuses == "accepted").any() or (statuses == "rejected").any()
    return Components.build(
        sparse.csc_array(stacked.astype(np.float32)),
        shape,
        traces,
        scores=pd.DataFrame({"name": list(vessels.names), "status": statuses}),
        accepted=statuses == "accepted" if judged else None,
        frame_rate=vessels.frame_rate,
        history=timer.extend([]),
    )


def _mask(points: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels of a line (two points) or quadrangle; points are (x, y)."""
    from skimage import draw

    mask = np.zeros(shape, bool)
    x, y = points[:, 0], points[:, 1]
    if len(points) > 2:
        rows, columns = draw.polygon(y, x, shape)
    else:
        rows, columns = draw.line(int(y[0]), int(x[0]), int(y[1]), int(x[1]))
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    mask[rows[inside], columns[inside]] = True
    return mask if len(points) > 2 else ndimage.binary_dilation(mask)


def with_events(components: Components, events: pd.DataFrame) -> Components:
    """Return components with a trace of kind ``events``.

    Cells are found by their name (the score ``name`` of a cell set), otherwise by their
    order.

    Raises
    ------
    ParameterError
        If the cells of the event set are others.
    """
    names = [str(name) for name in events["cell"].cat.categories]
    known = components.scores.get("name")
    if known is not None and set(names) <= set(map(str, known)):
        place = [names.index(str(n)) if str(n) in names else -1 for n in known]
    elif len(names) == len(components):
        place = list(range(len(names)))
    else:
        raise ParameterError(
            f"The event set is of {len(names)} cells ({', '.join(names[:3])}, ...), "
            f"the ROIs that are open are {len(components)} others. Open the cell set "
            "that the events were detected in, then drop the event set again."
        )
    rate = components.frame_rate or events.attrs.get("frame_rate")
    if not rate:
        raise ParameterError(
            "Neither the ROIs nor the event set say their frame rate; give it to the "
            "recording first."
        )
    n_frames = components.n_frames or int(events.attrs.get("n_samples") or 0)
    found = event_traces(events, n_frames, float(rate))
    found = np.vstack([found, np.zeros((1, n_frames), np.float32)])  # -1: no event
    timer = StepTimer("add_events", {"n_events": len(events)})
    return replace(
        components,
        traces={**components.traces, "events": found[place]},
        history=timer.extend(components.history),
    )
