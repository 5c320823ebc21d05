"""Inscopix ``.isxd`` vessel sets: diameters and red-cell velocities."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io.inscopix.container import (
    VESSEL_SET,
    Footer,
    read_footer,
    write_container,
)
from napari_mesmerize.io.inscopix.results import STATUSES, WHITE, read_statuses
from napari_mesmerize.io.inscopix.timing import read_timing, timing_of
from napari_mesmerize.io.inscopix.write import spacing_json

_TYPES = {"diameter": "vessel diameter", "velocity": "red blood cell velocity"}
_POINTS = {"diameter": 2, "velocity": 4}
_MAX_SIDE = 2**16


@dataclass(frozen=True)
class VesselSet:
    """Vessels with a trace each.

    Attributes
    ----------
    kind : str
        ``diameter`` (micrometres) or ``velocity`` (of red cells, micrometres a second).
    image : numpy.ndarray
        Shape (height, width), float32: the projection that they were drawn on.
    lines : numpy.ndarray
        Shape (n_vessels, 2, 2) for diameters (a line), (n_vessels, 4, 2) for velocities
        (a quadrangle), int64: points (x, y) in pixels.
    traces : numpy.ndarray
        Shape (n_vessels, n_samples), float32: the diameter or velocity.
    second : numpy.ndarray or None
        Same shape: where the vessel's centre is on the line (diameter), or the
        direction of flow, degrees (velocity).
    correlations : list of numpy.ndarray or None
        Of velocities: per vessel (n_samples, 3, height, width), float32.
    names, statuses : tuple of str
        ``accepted``, ``undecided`` or ``rejected``.
    frame_rate : float
        Hz.
    date : str or None
        Start, ISO 8601.
    pixel_size_um : tuple of float or None
        (y, x).
    missing : dict
        Samples that are missing: ``dropped``, ``cropped``, ``blank``.
    """

    kind: str
    image: NDArray[np.float32]
    lines: NDArray[np.int64]
    traces: NDArray[np.float32]
    frame_rate: float
    second: NDArray[np.float32] | None = None
    correlations: list[NDArray[np.float32]] | None = None
    names: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    date: str | None = None
    pixel_size_um: tuple[float, float] | None = None
    missing: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.traces)


def read_vessel_set(path: str | Path) -> VesselSet:
    """Read an Inscopix vessel set.

    Raises
    ------
    ReadError
        If it is no vessel set, or damaged.
    """
    footer = read_footer(path)
    footer.expect(VESSEL_SET)
    timing = read_timing(footer)
    names = footer.texts("VesselNames")
    statuses = read_statuses(footer, "VesselStatuses", len(names))
    kind = _kind(footer)
    maps = _map_shapes(footer, len(names)) if kind == "velocity" else None
    shape = footer.image_shape()
    saved = "VesselCenterSaved" if kind == "diameter" else "VesselDirectionSaved"
    reader = _Reader(footer, timing.n_samples, kind, footer.get(saved) is True, maps)
    footer.expect_bytes(
        4 * shape[0] * shape[1] + sum(reader.sizes(len(names))),
        f"{len(names)} vessels of {timing.n_samples} samples",
    )
    image = np.array(footer.array("<f4", shape))
    vessels = list(reader.vessels(len(names), image.nbytes))
    return VesselSet(
        kind=kind,
        image=image,
        lines=np.array([v[0] for v in vessels], np.int64).reshape(-1, _POINTS[kind], 2),
        traces=_stack([v[1] for v in vessels], timing.n_samples),
        second=_stack([v[2] for v in vessels], timing.n_samples)
        if reader.has_second
        else None,
        correlations=None if maps is None else [v[3] for v in vessels],
        names=tuple(names),
        statuses=tuple(statuses),
        frame_rate=timing.rate,
        date=timing.date,
        pixel_size_um=footer.pixel_size_um(),
        missing=timing.missing(),
    )


def _stack(traces: list[NDArray[np.float32]], n_samples: int) -> NDArray[np.float32]:
    return np.array(traces, np.float32).reshape(-1, n_samples)


def _kind(footer: Footer) -> str:
    place = ("extraProperties", "idps", "vesselset", "type")
    title = footer.get(*place)
    for kind, known in _TYPES.items():
        if title == known:
            return kind
    raise footer.error(place, title, " or ".join(map(repr, _TYPES.values())))


def _map_shapes(footer: Footer, n: int) -> list[tuple[int, int]] | None:
    """Return (height, width) of each vessel's correlation maps; None if it has none."""
    sizes = footer.get("VesselCorrelationSizes")
    if not sizes:
        return None
    whole = isinstance(sizes, list) and len(sizes) == n
    if not whole or not all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(side) is int and 0 <= side <= _MAX_SIDE for side in pair)
        for pair in sizes
    ):
        raise footer.error(("VesselCorrelationSizes",), sizes, f"{n} pairs [x, y]")
    return [(y, x) for x, y in sizes]


class _Reader:
    """Walk through the records of a vessel set, one per vessel."""

    def __init__(
        self,
        footer: Footer,
        n_samples: int,
        kind: str,
        has_second: bool,
        maps: list[tuple[int, int]] | None,
    ) -> None:
        self._footer = footer
        self._n_samples = n_samples
        self._n_points = _POINTS[kind]
        self.has_second = has_second
        self._maps = maps

    def sizes(self, n: int) -> list[int]:
        """Return the bytes of each record."""
        traces = 4 * self._n_samples * (2 if self.has_second else 1)
        fixed = 16 * self._n_points + traces
        maps = self._maps or [(0, 0)] * n
        return [fixed + 12 * self._n_samples * y * x for y, x in maps]

    def vessels(self, n: int, at: int) -> Iterator[tuple[Any, ...]]:
        """Yield (line, trace, second trace, correlations) of each vessel."""
        n_samples = self._n_samples
        for i, size in enumerate(self.sizes(n)):
            place = at + 16 * self._n_points
            line = self._footer.array("<i8", (self._n_points, 2), at)
            trace = self._footer.array("<f4", (n_samples,), place)
            place += trace.nbytes
            second = maps = None
            if self.has_second:
                second = np.array(self._footer.array("<f4", (n_samples,), place))
                place += trace.nbytes
            if self._maps is not None:
                shape = (n_samples, 3, *self._maps[i])
                maps = np.array(self._footer.array("<f4", shape, place))
            yield np.array(line), np.array(trace), second, maps
            at += size


def write_vessel_set(
    vessels: VesselSet, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write an Inscopix vessel set.

    Parameters
    ----------
    vessels : VesselSet
        What to write; names V0, V1, ... and the status undecided are filled in.
    path : path
        The file to write.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Raises
    ------
    ParameterError
        If shapes disagree or the kind is unknown.
    WriteError
        If the file is there already or can not be written; no half file stays.
    """
    _check(vessels)
    content = _content(vessels)

    def blocks() -> Iterator[NDArray[Any]]:
        yield vessels.image.astype("<f4")
        for i in range(len(vessels)):
            yield vessels.lines[i].astype("<i8")
            yield vessels.traces[i].astype("<f4")
            if vessels.second is not None:
                yield vessels.second[i].astype("<f4")
            if vessels.correlations is not None:
                yield vessels.correlations[i].astype("<f4")
        yield np.zeros((_POINTS[vessels.kind], 2), "<i8")  # the vendor's library wants

    return write_container(path, blocks(), content, overwrite=overwrite)


def _content(vessels: VesselSet) -> dict[str, Any]:
    """Return the footer of a vessel set."""
    n, n_samples = vessels.traces.shape
    velocity = vessels.kind == "velocity"
    timing = timing_of(n_samples, vessels.frame_rate, vessels.date)
    timing_json = timing.to_json() | {
        "dropped": list(vessels.missing.get("dropped", [])),
        "blank": list(vessels.missing.get("blank", [])),
        "cropped": [f"{a} - {b}" for a, b in vessels.missing.get("cropped", [])],
    }
    statuses = vessels.statuses or ("undecided",) * n
    content: dict[str, Any] = {
        "SizeGlobalVS": 0,
        "VesselActivity": [True] * n,
        "VesselColors": [WHITE] * n,
        "VesselNames": list(vessels.names or (f"V{i}" for i in range(n))),
        "VesselStatuses": [STATUSES.index(status) for status in statuses],
        "dataType": "float",
        "efocusValues": [0],
        "extraProperties": {"idps": {"vesselset": {"type": _TYPES[vessels.kind]}}},
        "fileVersion": 5,
        "spacingInfo": spacing_json(vessels.image.shape, vessels.pixel_size_um),
        "timingInfo": timing_json,
        "type": VESSEL_SET,
    }
    if vessels.second is not None:
        content["VesselDirectionSaved" if velocity else "VesselCenterSaved"] = True
    if vessels.correlations is not None:
        content["VesselCorrelationSizes"] = [
            [maps.shape[3], maps.shape[2]] for maps in vessels.correlations
        ]
    return content


def _check(vessels: VesselSet) -> None:
    if vessels.kind not in _TYPES:
        raise ParameterError(
            f"kind='{vessels.kind}'; expected 'diameter' or 'velocity'."
        )
    shape = np.shape(vessels.traces)
    if len(shape) != 2 or 0 in shape or np.ndim(vessels.image) != 2:
        raise ParameterError(
            f"traces have shape {shape} and the image {np.shape(vessels.image)}; "
            "expected (n_vessels, n_samples) and (height, width)."
        )
    n = shape[0]
    expected = {
        "lines": ((n, _POINTS[vessels.kind], 2), np.shape(vessels.lines)),
        "second": (shape, shape if vessels.second is None else vessels.second.shape),
        "names": (n, len(vessels.names) or n),
        "statuses": (n, len(vessels.statuses) or n),
    }
    for name, (wanted, came) in expected.items():
        if wanted != came:
            raise ParameterError(
                f"{name} has shape {came}, expected {wanted} for {n} vessels of kind "
                f"'{vessels.kind}'."
            )
    if set(vessels.statuses) - set(STATUSES):
        raise ParameterError(f"statuses must be among {', '.join(STATUSES)}.")
    maps = vessels.correlations
    if maps is not None and (
        vessels.kind != "velocity"
        or len(maps) != n
        or any(m.ndim != 4 or m.shape[:2] != (shape[1], 3) for m in maps)
    ):
        raise ParameterError(
            "correlations belong to velocities: one array (n_samples, 3, height, "
            "width) per vessel."
        )
