"""Tables as Parquet files: ROI tables, epochs, time stamps, with format and history."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from napari_mesmerize.errors import ParameterError, ProjectError
from napari_mesmerize.history import json_safe
from napari_mesmerize.project.json_files import Remedy, check_format, write_file

FORMAT_VERSION = 1
ROIS = "napari-mesmerize rois"
EPOCHS = "napari-mesmerize epochs"
TIMES = "napari-mesmerize frame times"
_KEY = b"napari_mesmerize"
_OUTLINE = pa.list_(pa.list_(pa.float64()))


def check_rois(rois: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of an ROI table whose index and fixed columns are as they must be.

    ``kind`` defaults to ``drawn``, ``outline`` to none, ``accepted`` to true.

    Raises
    ------
    ParameterError
        If ids repeat or are no text, or a fixed column holds something else.
    """
    if not isinstance(rois, pd.DataFrame):
        raise ParameterError(
            f"rois is of type {type(rois).__name__}; expected a DataFrame with one row "
            "per ROI and the index roi_id."
        )
    rois = rois.copy()
    rois.columns = [str(name) for name in rois.columns]
    for names, what in ((rois.index, "roi_id"), (rois.columns, "column")):
        twice = names[names.duplicated()]
        if len(twice):
            raise ParameterError(
                f"The ROI table has the {what} {twice[0]!r} more than once; each "
                f"{what} must differ."
            )
    wrong = [name for name in rois.index if not isinstance(name, str) or not name]
    if wrong:
        raise ParameterError(
            f"The ROI table's index holds {wrong[0]!r}; expected the roi_id of each "
            "ROI as text. Set it: rois.index = new_roi_ids(len(rois))."
        )
    rois.index = pd.Index(list(rois.index), name="roi_id", dtype=object)
    if "kind" not in rois:
        rois.insert(0, "kind", pd.Series("drawn", index=rois.index, dtype=object))
    if "outline" not in rois:
        rois["outline"] = pd.Series([[]] * len(rois), index=rois.index, dtype=object)
    if "accepted" not in rois:
        rois["accepted"] = True
    if len(rois) and not set(map(type, rois["accepted"])) <= {bool, np.bool_}:
        raise ParameterError(
            f"The ROI table's column 'accepted' has dtype {rois['accepted'].dtype}; "
            "expected true or false for each ROI."
        )
    rois["accepted"] = rois["accepted"].astype(bool)
    return rois


def write_table(
    path: Path,
    table: pd.DataFrame,
    form: str,
    *,
    history: Sequence[Mapping[str, Any]] = (),
    facts: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a table to Parquet, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        The file; replaced if it exists.
    table : pandas.DataFrame
        The table; a named index is written as a column.
    form : str
        Name of the format, kept in the file's metadata.
    history : sequence, optional
        Steps that changed the table since it was first written.
    facts : mapping, optional
        More that the file's metadata say; see :func:`read_table_facts`.
    extra : mapping, optional
        Arrow arrays to write as columns beside those of the table.

    Raises
    ------
    ParameterError
        If a column holds values of several types.
    """
    header = {
        "format": form,
        "format_version": FORMAT_VERSION,
        "history": json_safe(list(history)),
        **json_safe(dict(facts or {})),
    }
    arrow = _to_arrow(table, path)
    for name, column in (extra or {}).items():
        arrow = arrow.append_column(name, column)
    metadata = {**(arrow.schema.metadata or {}), _KEY: json.dumps(header).encode()}
    arrow = arrow.replace_schema_metadata(metadata)
    write_file(
        path,
        lambda file: pq.write_table(
            arrow, file, compression="zstd", write_page_checksum=True
        ),
    )


def _to_arrow(table: pd.DataFrame, path: Path) -> Any:
    if not table.columns.is_unique:
        raise ParameterError(f"{path.name} can not hold a column twice: {[*table]}.")
    try:
        if "outline" not in table:
            return pa.Table.from_pandas(table)
        outlines = pa.array(points(table["outline"]), type=_OUTLINE)
        plain = table.assign(outline=0.0)
        arrow = pa.Table.from_pandas(plain)
        at = arrow.schema.get_field_index("outline")
        return arrow.set_column(at, pa.field("outline", _OUTLINE), outlines)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ParameterError(
            f"{path.name} can not hold the table: {error}. Each column must hold "
            "values of one type: text, numbers, true/false or, for 'outline', lists of "
            "points."
        ) from error


def points(outlines: Iterable[Any]) -> list[list[list[float]]]:
    """Return outlines as nested lists of numbers; none is an empty list."""
    return [[] if o is None or isinstance(o, float) else _points(o) for o in outlines]


def _points(outline: Any) -> list[list[float]]:
    if len(outline) == 0:
        return []
    return cast(list[list[float]], np.asarray(outline, dtype=np.float64).tolist())


def read_table(
    path: Path, form: str, remedy: Remedy, *, without: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a table that :func:`write_table` wrote.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    form : str
        Name of the format that is expected.
    remedy : callable
        Says what to do if the file is damaged.
    without : sequence of str, optional
        Columns to leave out.

    Raises
    ------
    ProjectError
        If the file is absent, damaged, something else or of a newer version.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            header = _header(file, path, remedy)
            check_format(header, path, form, FORMAT_VERSION, remedy)
            names = [n for n in file.schema_arrow.names if n not in without]
            arrow = file.read(columns=names)
    except FileNotFoundError as error:
        raise ProjectError(f"{path} is missing. {remedy()}") from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, ProjectError):
            raise
        raise ProjectError(
            f"{path} is damaged, no readable Parquet: {error}. {remedy()}"
        ) from error
    return _to_pandas(arrow)


def read_table_history(path: Path, remedy: Remedy) -> list[dict[str, Any]]:
    """Return the steps that changed a table since it was first written."""
    return list(read_table_facts(path, remedy).get("history", []))


def read_table_facts(path: Path, remedy: Remedy) -> dict[str, Any]:
    """Return what the file's metadata say: format, version, history, and more."""
    try:
        with pq.ParquetFile(path) as file:
            return _header(file, path, remedy)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, ProjectError):
            raise
        raise ProjectError(
            f"{path} is damaged, no readable Parquet: {error}. {remedy()}"
        ) from error


def _header(file: Any, path: Path, remedy: Remedy) -> dict[str, Any]:
    raw = (file.schema_arrow.metadata or {}).get(_KEY, b"{}")
    try:
        header = json.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ProjectError(
            f"{path} is damaged, its metadata is no JSON: {error}. {remedy()}"
        ) from error
    return header if isinstance(header, dict) else {}


def _to_pandas(arrow: Any) -> pd.DataFrame:
    """Return a table; text is of dtype object, whatever pandas' version would take."""
    outlines = None
    if "outline" in arrow.column_names:
        at = arrow.column_names.index("outline")
        outlines = arrow.column(at).to_pylist()
        arrow = arrow.set_column(at, "outline", pa.nulls(len(arrow), pa.float64()))
    table = pd.DataFrame(arrow.to_pandas())
    if outlines is not None:
        table["outline"] = pd.Series(outlines, index=table.index, dtype=object)
    for name in table.columns:
        if pd.api.types.is_string_dtype(table[name].dtype):
            table[name] = table[name].astype(object)
    if pd.api.types.is_string_dtype(table.index.dtype):
        table.index = table.index.astype(object)
    return table
