"""Exchanges of ROIs (a merge, a split, ROIs drawn anew) as the journal keeps them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError, ProjectError
from napari_mesmerize.project import parquet
from napari_mesmerize.project.json_files import now

FORMAT = "napari-mesmerize exchanged rois"
COLUMN = "mesmerize:component"  # beside the columns of the ROI table


@dataclass(frozen=True)
class Exchange:
    """ROIs of a sample that were put in the place of others.

    Attributes
    ----------
    sample_id : str
        The sample.
    gone : list of str
        The ``roi_id`` of each ROI that was taken away.
    places : dict of str to int
        Position, in the table afterwards, of each ROI that came.
    file : str
        File with the ROIs that came, below the folder of the journals.
    time : str
        ISO 8601, UTC.
    id : str
        By which an undo or redo names it.
    """

    sample_id: str
    gone: list[str]
    places: dict[str, int]
    file: str
    time: str = ""
    id: str = ""


@dataclass(frozen=True, eq=False)
class Replacement:
    """An exchange and the ROIs that came with it.

    Attributes
    ----------
    exchange : Exchange
        Which ROIs went, and where those that came belong.
    components : Components
        Those that came.
    rois : pandas.DataFrame
        Their rows of the ROI table.
    """

    exchange: Exchange
    components: Components
    rois: pd.DataFrame

    def components_of(self, old: Components) -> Components:
        """Return components with the exchange made."""
        new = self.components
        if set(old.roi_ids) <= {*self.exchange.gone, *self.exchange.places}:
            return replace(
                new.select(self._order(())),
                background=new.background or old.background,
            )
        if old.image_shape != new.image_shape or set(old.traces) - set(new.traces):
            raise ParameterError(
                f"ROIs of images of shape {new.image_shape} with the traces "
                f"{sorted(new.traces)} came in the place of others, of shape "
                f"{old.image_shape} with {sorted(old.traces)}; is it the same sample?"
            )
        order = self._order(old.roi_ids)
        scores = new.scores.reindex(columns=old.scores.columns)
        for name, known in old.scores.items():
            if not scores[name].isna().any():
                scores[name] = scores[name].astype(known.dtype)
        together = pd.concat([old.scores, scores]).iloc[order] if len(scores) else None
        ids = (*old.roi_ids, *new.roi_ids)
        return Components.build(
            sparse.hstack([old.footprints, new.footprints], format="csc")[:, order],
            old.image_shape,
            {
                kind: np.concatenate([traces, new.traces[kind]])[order]
                for kind, traces in old.traces.items()
            },
            scores=old.scores.iloc[order] if together is None else together,
            accepted=np.concatenate([old.accepted, new.accepted])[order],
            roi_ids=[ids[i] for i in order],
            background=old.background,
            frame_rate=old.frame_rate,
            history=new.history,
        )

    def rois_of(self, old: pd.DataFrame) -> pd.DataFrame:
        """Return an ROI table with the exchange made."""
        rows = self.rois.reindex(columns=old.columns)
        for name in old.columns:
            if name not in self.rois and old[name].dtype == object:
                rows[name] = ""  # a tag column that came later
        both = pd.concat([old, rows]).iloc[self._order(list(old.index))]
        both["accepted"] = both["accepted"].astype(bool)
        both.index = pd.Index(both.index, dtype=old.index.dtype, name=old.index.name)
        return both

    def _order(self, ids: Sequence[str]) -> list[int]:
        """Return positions, in old and new ROIs one after the other, as they follow."""
        out = {*self.exchange.gone, *self.exchange.places}
        order = [i for i, name in enumerate(ids) if name not in out]
        first = {name: len(ids) + i for i, name in enumerate(self.components.roi_ids)}
        for name, place in sorted(self.exchange.places.items(), key=lambda it: it[1]):
            order.insert(place, first[name])
        return order


def write_exchange(
    folder: Path,
    session: str,
    sample_id: str,
    gone: Sequence[str],
    components: Components,
    rois: pd.DataFrame,
    places: Mapping[str, int],
) -> Exchange:
    """Write the ROIs that came to a file of their own, on disk when this returns.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of the journals.
    session : str
        Name of the journal, without its ending.
    sample_id : str
        The sample.
    gone : sequence of str
        ROIs that were taken away.
    components, rois : Components and pandas.DataFrame
        ROIs that came, and their rows of the ROI table.
    places : mapping
        Position of each of them afterwards.
    """
    file = f"{session}/{uuid.uuid4().hex[:12]}.parquet"
    (folder / session).mkdir(parents=True, exist_ok=True)
    facts = {
        "image_shape": list(components.image_shape),
        "frame_rate": components.frame_rate,
        "n_frames": components.n_frames,
        "traces": list(components.traces),
        "scores": [str(name) for name in components.scores],
    }
    parquet.write_table(
        folder / file,
        rois.loc[list(components.roi_ids)],
        FORMAT,
        history=components.history,
        facts=facts,
        extra={COLUMN: _to_arrow(components)},
    )
    return Exchange(sample_id, list(gone), dict(places), file, now())


def _to_arrow(components: Components) -> Any:
    """Return components as an array of structures, one an ROI."""
    matrix = components.footprints
    offsets = pa.array(matrix.indptr.astype(np.int32))
    indices = matrix.indices.astype(np.int64)
    parts: dict[str, Any] = {
        "pixels": pa.ListArray.from_arrays(offsets, pa.array(indices)),
        "weights": pa.ListArray.from_arrays(offsets, pa.array(matrix.data)),
        "accepted": pa.array(components.accepted),
    }
    for i, traces in enumerate(components.traces.values()):
        starts = np.arange(len(traces) + 1, dtype=np.int32) * traces.shape[1]
        flat = pa.array(np.ascontiguousarray(traces).ravel())
        parts[f"trace {i}"] = pa.ListArray.from_arrays(pa.array(starts), flat)
    for i, (_, column) in enumerate(components.scores.items()):
        text = column.dtype.kind not in "buif"
        values = [str(value) for value in column] if text else column.to_numpy()
        parts[f"score {i}"] = pa.array(values)
    return pa.StructArray.from_arrays(list(parts.values()), list(parts))


def read_exchange(project: Path, exchange: Exchange) -> Replacement:
    """Read the ROIs that came with an exchange in a project.

    Raises
    ------
    ProjectError
        If their file is missing, damaged or of a newer version.
    """
    path = project / "journal" / exchange.file

    def remedy() -> str:
        return (
            "ROIs that were merged, split or drawn in a session that crashed can not "
            "be brought back from it; what the sample itself holds is unchanged."
        )

    rois = parquet.read_table(path, FORMAT, remedy, without=(COLUMN,))
    try:
        facts = parquet.read_table_facts(path, remedy)
        struct = pq.read_table(path, columns=[COLUMN]).column(0).combine_chunks()
        components = _from_arrow(struct, facts, list(rois.index))
        missing = set(exchange.places) - set(components.roi_ids)
        if missing:
            raise KeyError(f"ROI {missing.pop()}")
    except (pa.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
        if isinstance(error, ProjectError):
            raise
        raise ProjectError(f"{path} is damaged: {error}. {remedy()}") from error
    return Replacement(exchange, components, rois)


def _from_arrow(
    struct: Any, facts: Mapping[str, Any], roi_ids: list[str]
) -> Components:
    shape = tuple(int(size) for size in facts["image_shape"])
    n_frames = int(facts["n_frames"])
    pixels = struct.field("pixels")
    sizes = np.asarray(pixels.value_lengths())
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    matrix = sparse.csc_array(
        (_flat(struct, "weights"), np.asarray(pixels.flatten()), indptr),
        shape=(int(np.prod(shape)), len(roi_ids)),
    )
    scores = {
        name: struct.field(f"score {i}").to_pandas().to_numpy()
        for i, name in enumerate(facts["scores"])
    }
    return Components.build(
        matrix,
        shape,
        {
            kind: _flat(struct, f"trace {i}").reshape(len(roi_ids), n_frames)
            for i, kind in enumerate(facts["traces"])
        },
        scores=pd.DataFrame(scores, index=range(len(roi_ids))),
        accepted=np.asarray(struct.field("accepted")),
        roi_ids=roi_ids,
        frame_rate=facts["frame_rate"],
        history=facts["history"],
    )


def _flat(struct: Any, name: str) -> NDArray[np.float32]:
    return np.asarray(struct.field(name).flatten(), np.float32)
