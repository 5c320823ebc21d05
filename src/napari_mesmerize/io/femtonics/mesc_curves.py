"""Curves of Femtonics ``.mesc`` files: voltages, triggers, frame times, speed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.errors import ParameterError, ReadError, reading
from napari_mesmerize.io.femtonics.mesc import numbered, unit_names
from napari_mesmerize.io.femtonics.mesc_attributes import (
    number_of,
    seconds_per,
    text_of,
)
from napari_mesmerize.io.hdf5 import attributes_of, open_hdf5
from napari_mesmerize.io.items import check_file

_TABLE = 2


@dataclass(frozen=True)
class Curve:
    """One curve of a unit.

    Attributes
    ----------
    name : str
        Such as ``AI1``, ``DI2``, ``frame times``.
    x, y : numpy.ndarray
        Shape (n_samples,), float64. Of a run-length coded (digital) curve: where each
        run begins, and its value.
    x_unit, y_unit : str
        Units, as the file has them; x is mostly ``ms``.
    stop : float or None
        Where the last run of a run-length coded curve ends; None for other curves.
    """

    name: str
    x: NDArray[Any]
    y: NDArray[np.float64]
    x_unit: str = ""
    y_unit: str = ""
    stop: float | None = None

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Times of the samples in seconds, on the clock of the unit's frames.

        Raises
        ------
        ParameterError
            If x is no time.
        """
        return self.x * self._seconds()

    def _seconds(self) -> float:
        factor = seconds_per(self.x_unit)
        if factor is None:
            raise ParameterError(
                f"x of the curve '{self.name}' is in '{self.x_unit}', which is no "
                "time; it can not be laid over frames."
            )
        return factor

    def at(self, times_s: ArrayLike) -> NDArray[np.float64]:
        """Return the value at each time in seconds; NaN outside the curve.

        Runs hold their value; samples are interpolated linearly.
        """
        times = np.asarray(times_s, np.float64)
        x = self.time_s
        if not x.size:
            return np.full(times.shape, np.nan)
        if self.stop is None:
            return np.interp(times, x, self.y, left=np.nan, right=np.nan)
        run = np.searchsorted(x, times, side="right") - 1
        inside = (run >= 0) & (times < self.stop * self._seconds())
        return np.where(inside, self.y[np.maximum(run, 0)], np.nan)

    def epochs(self, stimulus_type: str, *, threshold: float = 0.5) -> pd.DataFrame:
        """Return stimulus epochs: where the curve lies above a threshold.

        Parameters
        ----------
        stimulus_type : str
            For all of them; their name is the curve's.
        threshold : float, optional
            In the curve's unit; 0.5 fits digital curves.

        Returns
        -------
        pandas.DataFrame
            See :func:`~napari_mesmerize.data.epochs.make_epochs`.
        """
        times = self.time_s
        high = np.concatenate([[False], self.y > threshold, [False]])
        edges = np.flatnonzero(high[1:] != high[:-1])
        end = self.stop * self._seconds() if self.stop is not None else None
        if end is None:
            step = np.median(np.diff(times)) if len(times) > 1 else 0.0
            end = float(times[-1] + step) if len(times) else 0.0
        bounds = np.append(times, end)[edges].reshape(-1, 2)
        return make_epochs(
            (stimulus_type, self.name, float(start), float(stop))
            for start, stop in bounds
            if stop > max(start, 0) and start >= 0
        )


def read_curves(path: str | Path, unit: str) -> dict[str, Curve]:
    """Read the curves of a unit of a ``.mesc`` file.

    Parameters
    ----------
    path : path
        The file.
    unit : str
        ``MSession_0/MUnit_0``, or the selection of one of its recordings.

    Returns
    -------
    dict of str to Curve
        By name, in the order of their numbers; a name that comes again is numbered.

    Raises
    ------
    ReadError
        If the file has no such unit, or a curve is damaged.
    """
    path = Path(path)
    check_file(path)
    name = "/".join(str(unit).split("/")[:2])
    curves: dict[str, Curve] = {}
    with open_hdf5(path) as file, reading(path, f"curves of {name}"):
        units = unit_names(file)
        if name not in units:
            raise ReadError(
                f"{path.name} has no unit '{name}'; it has {', '.join(units)}."
            )
        for key in numbered(file[name], "Curve"):
            curve = _curve(file[name][key], f"{path.name}, {name}/{key}")
            label, number = curve.name, 2
            while label in curves:
                label, number = f"{curve.name} ({number})", number + 1
            curves[label] = curve
    return curves


def _curve(group: Any, where: str) -> Curve:
    attributes = attributes_of(group)
    raw = _samples(group, "CurveDataYRawData", where)
    if raw is None:
        raise ReadError(f"{where} has no CurveDataYRawData.")
    delta = number_of(attributes.get("CurveDataXRawDelta", np.nan))
    ends = _samples(group, "CurveDataYIdxNextSample", where)
    x: NDArray[Any]
    stop = None
    if ends is not None:
        if len(ends) != len(raw) or (np.diff(ends) < 0).any() or (ends < 0).any():
            raise ReadError(
                f"{where} has {len(raw)} values, but {len(ends)} ends of runs, or they "
                "do not rise."
            )
        x = np.concatenate([[0.0], ends[:-1]])[: len(ends)] * (delta or 1.0)
        stop = float(ends[-1] * (delta or 1.0)) if len(ends) else 0.0
    else:
        given = _samples(group, "CurveDataXRawData", where)
        x = np.arange(len(raw)) * (delta or 1.0) if given is None else given
        if len(x) != len(raw):
            raise ReadError(f"{where} has {len(raw)} values at {len(x)} places.")
    return Curve(
        text_of(attributes.get("Name", "")).strip() or group.name.rpartition("/")[2],
        x,
        _converted(raw, attributes, where),
        text_of(attributes.get("CurveDataXConversionUnitName", "")).strip(),
        text_of(attributes.get("CurveDataYConversionUnitName", "")).strip(),
        stop,
    )


def _samples(group: Any, name: str, where: str) -> NDArray[np.float64] | None:
    """Return a data set of a curve; None if it is not there."""
    if name not in group:
        return None
    data = group[name]
    bare = data.size > 1000 * (data.id.get_storage_size() + 1)
    if data.ndim != 1 or data.dtype.kind not in "buif" or bare:
        raise ReadError(
            f"{where}/{name} has shape {data.shape} and type {data.dtype}, expected "
            "numbers in a row that are really in the file."
        )
    return np.asarray(data[()], np.float64)


def _converted(
    raw: NDArray[np.float64], attributes: Mapping[str, Any], where: str
) -> NDArray[np.float64]:
    """Return values in the curve's unit: linear, or interpolated in a table."""
    if number_of(attributes.get("CurveDataYConversionType", 1)) == _TABLE:
        pairs = np.asarray(attributes.get("CurveDataYConversionReferenceValues", ()))
        if pairs.size < 2 or pairs.size % 2 or pairs.dtype.kind not in "uif":
            raise ReadError(f"{where} has a broken conversion table.")
        table = pairs.reshape(-1, 2).astype(np.float64)
        table = table[np.argsort(table[:, 0], kind="stable")]
        return np.interp(raw, table[:, 0], table[:, 1])
    scale = number_of(attributes.get("CurveDataYConversionConversionLinearScale", 1.0))
    offset = number_of(
        attributes.get("CurveDataYConversionConversionLinearOffset", 0.0)
    )
    return raw * (1.0 if scale is None else scale) + (offset or 0.0)
