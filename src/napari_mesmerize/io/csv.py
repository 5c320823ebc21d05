"""Traces and ROI tables as CSV, each number such that it is read back bit for bit."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from pyarrow import csv

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError

_ROWS = 2**18


def write_traces_csv(
    components: Components,
    path: str | Path,
    *,
    layout: str = "wide",
    kinds: Sequence[str] | None = None,
    time_s: ArrayLike | None = None,
    overwrite: bool = False,
) -> Path:
    """Write traces as a table of text.

    Parameters
    ----------
    components : Components
        Whose traces to write.
    path : path
        The ``.csv`` file.
    layout : str, optional
        ``wide``: a row per frame, a column per ROI (named by its id; with several
        kinds, ``id kind``). ``long``: a row per ROI and frame, a column per kind.
    kinds : sequence of str, optional
        Which traces; default all in ``long``, the first in ``wide``.
    time_s : array_like, optional
        Time of each frame in seconds; default frame / rate, if the rate is known.
    overwrite : bool, optional
        Whether a file of that name may be replaced.

    Returns
    -------
    pathlib.Path
        What was written. Columns ``frame`` and, where known, ``time_s`` come first.
        NaN is an empty field.

    Raises
    ------
    ParameterError
        If a kind or the layout is unknown, or the times do not fit.
    WriteError
        If the file exists, or can not be written.

    Notes
    -----
    ``wide`` suits spreadsheets, ``long`` suits R and pandas (``groupby``). Every number
    is written in full, so the file is large; for long recordings use MATLAB, NWB or
    :meth:`~napari_mesmerize.Components.save`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import Components
    >>> from napari_mesmerize.data.rois import footprints_from_masks
    >>> masks = np.zeros((2, 16, 16))
    >>> masks[0, 2:6, 2:6] = masks[1, 9:13, 9:14] = 1
    >>> components = Components.build(
    ...     footprints_from_masks(masks),
    ...     image_shape=(16, 16),
    ...     traces={"raw": np.ones((2, 20))},
    ...     frame_rate=10.0,
    ... )
    >>> from napari_mesmerize.io.results import write_traces_csv
    >>> path = write_traces_csv(components, "traces.csv")
    >>> path.read_text().splitlines()[1]
    '0,0,1,1'
    """
    path = Path(path)
    if layout not in ("wide", "long"):
        raise ParameterError(f"layout={layout!r}; expected 'wide' or 'long'.")
    if not components.traces:
        raise ParameterError("There are no traces to write; extract some first.")
    if kinds is None:
        kinds = list(components.traces)[: None if layout == "long" else 1]
    unknown = [kind for kind in kinds if kind not in components.traces]
    if unknown or not kinds:
        raise ParameterError(
            f"There is no trace {unknown[0] if unknown else kinds!r}; there are "
            f"{', '.join(components.traces)}."
        )
    times = _times(components, time_s)
    tables = (_long if layout == "long" else _wide)(components, list(kinds), times)
    with written_whole(path, overwrite=overwrite) as parts:
        _write(tables, parts)
    return path


def _times(components: Components, given: ArrayLike | None) -> NDArray[Any] | None:
    if given is not None:
        times = np.asarray(given, np.float64)
        if times.shape != (components.n_frames,):
            raise ParameterError(
                f"time_s has shape {times.shape}, but there are {components.n_frames} "
                "frames; give one time stamp a frame."
            )
        return times
    if components.frame_rate is None:
        return None
    return np.arange(components.n_frames) / components.frame_rate


def _wide(
    components: Components, kinds: list[str], times: NDArray[Any] | None
) -> Iterator[Any]:
    names = [
        roi if len(kinds) == 1 else f"{roi} {kind}"
        for kind in kinds
        for roi in components.roi_ids
    ]
    n_frames = components.n_frames
    step = max(1, _ROWS // max(1, len(names)))
    for start in range(0, max(1, n_frames), step):
        rows = slice(start, min(start + step, n_frames))
        columns: list[Any] = [np.arange(rows.start, rows.stop)]
        columns += [] if times is None else [times[rows]]
        columns += [trace[rows] for kind in kinds for trace in components.traces[kind]]
        first = ["frame"] if times is None else ["frame", "time_s"]
        yield _table([*first, *names], columns)


def _long(
    components: Components, kinds: list[str], times: NDArray[Any] | None
) -> Iterator[Any]:
    n_frames = components.n_frames
    frames = np.arange(n_frames)
    step = max(1, _ROWS // max(1, n_frames))
    ids = np.array(components.roi_ids, dtype=object)
    names = ["roi_id", "frame", *([] if times is None else ["time_s"]), *kinds]
    for start in range(0, max(1, len(components)), step):
        rois = slice(start, min(start + step, len(components)))
        n_rois = len(ids[rois])
        columns: list[Any] = [np.repeat(ids[rois], n_frames), np.tile(frames, n_rois)]
        columns += [] if times is None else [np.tile(times, n_rois)]
        columns += [components.traces[kind][rois].ravel() for kind in kinds]
        yield _table(names, columns)


def _table(names: list[str], columns: list[Any]) -> Any:
    """Return an Arrow table; numbers in double precision, text that is exact."""
    arrays = []
    for column in columns:
        if column.dtype == np.float32:
            column = column.astype(np.float64)
        kind = pa.string() if column.dtype == object else None
        arrays.append(pa.array(column, type=kind, from_pandas=True))
    return pa.Table.from_arrays(arrays, names=names)


def _write(tables: Iterator[Any], path: Path) -> None:
    options = csv.WriteOptions(quoting_style="needed")
    writer = None
    with path.open("xb") as file:
        for table in tables:
            if writer is None:
                writer = csv.CSVWriter(file, table.schema, write_options=options)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def write_table_csv(
    table: pd.DataFrame, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write an ROI table, epochs or a project's table; lists become JSON text.

    Parameters
    ----------
    table : pandas.DataFrame
        Any of these tables.
    path : path
        The ``.csv`` file.
    overwrite : bool, optional
        Whether a file of that name may be replaced.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    WriteError
        If the file exists, or can not be written.

    Notes
    -----
    Use it for spreadsheets and R. In Python, Parquet (as in a project) keeps types and
    is much smaller; here outlines are text. For traces use :func:`write_traces_csv`.

    Examples
    --------
    >>> from napari_mesmerize.data.epochs import make_epochs
    >>> from napari_mesmerize.io.results import write_table_csv
    >>> epochs = make_epochs([("odour", "rose", 2, 4)])
    >>> print(write_table_csv(epochs, "epochs.csv").read_text().splitlines()[-1])
    odour,rose,2.0,4.0,#...
    """
    path = Path(path)
    plain = table.copy()
    for name in plain.columns:
        if plain[name].map(lambda value: isinstance(value, list | np.ndarray)).any():
            plain[name] = [json.dumps(np.asarray(v).tolist()) for v in plain[name]]
    with written_whole(path, overwrite=overwrite) as parts:
        index = table.index.name is not None
        plain.to_csv(parts, index=index, encoding="utf-8", lineterminator="\n")
    return path
