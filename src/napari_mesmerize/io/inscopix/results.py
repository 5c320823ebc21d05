"""Inscopix ``.isxd`` cell sets to components, and back."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.inscopix.container import (
    CELL_SET,
    Footer,
    read_footer,
    write_container,
)
from napari_mesmerize.io.inscopix.timing import read_timing, timing_of
from napari_mesmerize.io.inscopix.write import (
    recording_timing,
    sample_numbers,
    spacing_json,
)

STATUSES = ("accepted", "undecided", "rejected")
WHITE = 0xFFFFFFFF
_KINDS = ("raw", "denoised", "dff")


def read_cell_set(path: str | Path, *, valid_only: bool = False) -> Components:
    """Read an Inscopix cell set.

    Parameters
    ----------
    path : path
        The ``.isxd`` file.
    valid_only : bool, optional
        Leave out samples that are missing in the movie, so that traces have as many
        frames as the movie when it is read. By default traces are as stored, with NaN
        (or 0) at missing samples.

    Returns
    -------
    Components
        Footprints and traces exactly as stored (footprints are not scaled to maximum
        1). ``scores`` has ``name`` and ``status`` (accepted, undecided, rejected).
        Accepted are cells of that status; all of them if none was decided upon.

    Raises
    ------
    ReadError
        If it is no cell set, or damaged.
    """
    timer = StepTimer("read_cell_set", inputs=[str(path)])
    footer = read_footer(path)
    footer.expect(CELL_SET)
    timing = read_timing(footer)
    shape = footer.image_shape()
    names = footer.texts("CellNames")
    statuses = read_statuses(footer, "CellStatuses", len(names))
    n_pixels = shape[0] * shape[1]
    record = 4 * (n_pixels + timing.n_samples)
    footer.expect_bytes(
        len(names) * record,
        f"{len(names)} cells of {shape[0]} x {shape[1]} pixels, {timing.n_samples} "
        "samples",
    )
    table = footer.array("<f4", (len(names), n_pixels + timing.n_samples))
    traces = np.array(table[:, n_pixels:], np.float32)
    if valid_only:
        traces = traces[:, timing.valid_samples()]
    kind, step = _trace_kind(footer), timer.done().model_dump(mode="json")
    step["params"] = {
        "valid_only": valid_only,
        "date": timing.date,
        "missing": timing.missing(),
        "cellset": footer.get("extraProperties", "idps", "cellset"),
    }
    return Components.build(
        _footprints(table[:, :n_pixels]),
        shape,
        {kind: traces},
        scores=_scores(footer, names, statuses),
        accepted=accepted_of(statuses),
        frame_rate=timing.rate,
        history=[step],
    )


def _footprints(images: NDArray[np.float32]) -> sparse.csc_array:
    """Return images (n_cells, n_pixels) as sparse columns, one read at a time."""
    rows, values, ends = [np.empty(0, np.int32)], [np.empty(0, np.float32)], [0]
    for image in images:
        where = np.flatnonzero(np.nan_to_num(image, nan=0.0))
        rows.append(where.astype(np.int32))
        values.append(np.asarray(image[where], np.float32))
        ends.append(ends[-1] + len(where))
    return sparse.csc_array(
        (np.concatenate(values), np.concatenate(rows), np.array(ends, np.int64)),
        shape=(images.shape[1], len(images)),
    )


def read_statuses(footer: Footer, key: str, n: int) -> list[str]:
    """Return the status of each cell or vessel; undecided where the file has none."""
    codes = footer.integers(key) or [1] * n
    if len(codes) != n or not all(0 <= code < len(STATUSES) for code in codes):
        raise footer.error((key,), codes, f"{n} numbers of 0, 1, 2")
    return [STATUSES[code] for code in codes]


def accepted_of(statuses: Sequence[str]) -> NDArray[np.bool_]:
    """Return which cells count as accepted: all, if none was decided upon."""
    if all(status == "undecided" for status in statuses):
        return np.ones(len(statuses), bool)
    return np.array([status == "accepted" for status in statuses], bool)


def _trace_kind(footer: Footer) -> str:
    units = footer.get("extraProperties", "idps", "cellset", "units")
    plain = str(units).lower().replace(" ", "")
    return "dff" if plain in ("df/f", "dfoverf", "df/f0", "δf/f") else "raw"


def _scores(footer: Footer, names: list[str], statuses: list[str]) -> pd.DataFrame:
    """Return name, status, colours other than white, and metrics of the cells."""
    scores = pd.DataFrame({"name": names, "status": statuses}, dtype=object)
    colours = footer.integers("CellColors")
    if len(colours) == len(names) and any(colour != WHITE for colour in colours):
        scores["colour"] = [f"#{colour & 0xFFFFFF:06x}" for colour in colours]
    metrics = footer.get("cellMetrics")
    if isinstance(metrics, list) and len(metrics) == len(names):
        rows = [row if isinstance(row, dict) else {} for row in metrics]
        for key in dict.fromkeys(key for row in rows for key in row):
            values = [row.get(key) for row in rows]
            if all(v is None or isinstance(v, int | float) for v in values):
                scores[key] = np.array(
                    [np.nan if v is None else float(v) for v in values]
                )
    return scores


def write_cell_set(
    components: Components,
    path: str | Path,
    *,
    recording: xr.DataArray | None = None,
    kind: str | None = None,
    date: str | None = None,
    pixel_size_um: tuple[float, float] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write components as an Inscopix cell set.

    Parameters
    ----------
    components : Components
        Found in one plane; ``scores["name"]`` and ``scores["status"]`` are kept, the
        status where ``accepted`` still says the same.
    path : path
        The file to write.
    recording : xarray.DataArray, optional
        The recording that they were found in: its start, pixel size and gaps are
        written; traces are NaN in the gaps.
    kind : str, optional
        Which traces; default raw, else denoised, else dff, else the first.
    date, pixel_size_um : optional
        Start (ISO 8601) and pixel size (y, x), where no recording is given.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Raises
    ------
    ParameterError
        If there are planes, no such traces or no frame rate, or the recording does not
        fit.
    WriteError
        If the file is there already or can not be written; no half file stays.
    """
    if len(components.image_shape) != 2:
        raise ParameterError(
            f"The components have image shape {components.image_shape}; an .isxd cell "
            "set has one plane."
        )
    traces = _traces(components, kind)
    if recording is not None:
        date, pixel_size_um = (
            recording.attrs.get("date"),
            recording.attrs.get("pixel_size_um"),
        )
    timing_json, stored = _timed(traces, components.frame_rate, recording, date)
    content = _content(components) | {
        "spacingInfo": spacing_json(components.image_shape, pixel_size_um),
        "timingInfo": timing_json,
    }

    def blocks() -> Iterator[NDArray[np.float32]]:
        for i, trace in enumerate(stored):
            yield components.footprint_image(i).astype("<f4")
            yield trace.astype("<f4")

    return write_container(path, blocks(), content, overwrite=overwrite)


def _content(components: Components) -> dict[str, Any]:
    """Return what a footer says of the cells."""
    return {
        "CellActivity": [True] * len(components),
        "CellColors": _colours(components),
        "CellNames": cell_names(components),
        "CellStatuses": [STATUSES.index(s) for s in current_statuses(components)],
        "CentroidDistances": [],
        "Matches": [],
        "PairScores": [],
        "SizeGlobalCS": 0,
        "cellMetrics": None,
        "dataType": "float",
        "efocusValues": [0],
        "extraProperties": None,
        "fileVersion": 5,
        "isRoiSet": False,
        "type": CELL_SET,
    }


def _traces(components: Components, kind: str | None) -> NDArray[np.float32]:
    if kind is None:
        present = [k for k in _KINDS if k in components.traces]
        kind = next(iter([*present, *components.traces]), None)
    if kind not in components.traces:
        raise ParameterError(
            f"There are no traces of kind '{kind}'; there are "
            f"{', '.join(components.traces) or 'none'}."
        )
    return components.traces[kind]


def _timed(
    traces: NDArray[np.float32],
    frame_rate: float | None,
    recording: xr.DataArray | None,
    date: str | None,
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Return the timing, and traces with NaN where samples are missing."""
    rate = frame_rate
    if recording is not None:
        rate = recording.attrs.get("frame_rate") or frame_rate
    if rate is None:
        raise ParameterError(
            "A cell set needs the frame rate, and neither components nor recording "
            "have it; give the recording, or set its frame rate."
        )
    n_frames = traces.shape[1]
    if recording is None:
        return timing_of(n_frames, rate, date).to_json(), traces
    timing = recording_timing(recording, rate)
    if n_frames == timing.n_samples:
        return timing.to_json(), traces
    if n_frames != recording.sizes["frame"]:
        raise ParameterError(
            f"Traces have {n_frames} frames, the recording {recording.sizes['frame']}; "
            "give the recording that the components were found in."
        )
    samples = sample_numbers(recording, rate)
    start = int(samples[-1]) + 1 - (int(timing.valid_samples()[-1]) + 1)
    stored = np.full((len(traces), timing.n_samples), np.nan, np.float32)
    stored[:, samples - start] = traces
    return timing.to_json(), stored


def cell_names(components: Components) -> list[str]:
    """Return the names of cells; C00, C01, ... where they have none."""
    n = len(components)
    if "name" in components.scores:
        return [str(name) for name in components.scores["name"]]
    digits = max(2, len(str(max(0, n - 1))))
    return [f"C{i:0{digits}d}" for i in range(n)]


def current_statuses(components: Components) -> list[str]:
    """Return the status of cells: as it was, unless ``accepted`` says otherwise now."""
    decided = np.where(components.accepted, "accepted", "rejected").tolist()
    if "status" not in components.scores:
        return [str(status) for status in decided]
    before = [str(status) for status in components.scores["status"]]
    same = accepted_of(before) == components.accepted
    return [
        old if keep and old in STATUSES else new
        for old, new, keep in zip(before, decided, same, strict=True)
    ]


def _colours(components: Components) -> list[int]:
    if "colour" not in components.scores:
        return [WHITE] * len(components)
    found = []
    for colour in components.scores["colour"]:
        text = str(colour).lstrip("#")[:6]
        try:
            found.append(0xFF000000 | int(text, 16))
        except ValueError:
            found.append(WHITE)
    return found
