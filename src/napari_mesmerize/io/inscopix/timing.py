"""Time in Inscopix ``.isxd`` files: period, start, and samples that are missing."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io.inscopix.container import MAX_COUNT, Footer

_RANGE = re.compile(r"\s*(\d{1,16})\s*(?:-\s*(\d{1,16})\s*)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Timing:
    """When the samples of a file were taken, and which of them are missing.

    Attributes
    ----------
    n_samples : int
        Samples from first to last, those that are missing included.
    period : fractions.Fraction
        Seconds from sample to sample.
    start : fractions.Fraction
        Seconds since 1970, UTC; 0 if unknown.
    utc_offset : int
        Seconds that local time is ahead.
    dropped, blank : tuple of int
        Samples that were lost, or left out on purpose.
    cropped : tuple of (int, int)
        Ranges that were cut out, both ends included.
    """

    n_samples: int
    period: Fraction
    start: Fraction = Fraction(0)
    utc_offset: int = 0
    dropped: tuple[int, ...] = ()
    cropped: tuple[tuple[int, int], ...] = ()
    blank: tuple[int, ...] = ()

    @property
    def rate(self) -> float:
        """Samples a second."""
        return float(1 / self.period)

    @property
    def date(self) -> str | None:
        """Start, ISO 8601 with its time zone; None if unknown."""
        if self.start <= 0 or abs(self.utc_offset) >= 86400:
            return None
        try:
            moment = _EPOCH + timedelta(microseconds=round(self.start * 1_000_000))
            zone = timezone(timedelta(seconds=self.utc_offset))
            return moment.astimezone(zone).isoformat(timespec="milliseconds")
        except (OverflowError, ValueError):
            return None

    def missing_runs(self) -> NDArray[np.int64]:
        """Return the missing samples as sorted, separate ranges [first, stop).

        Returns
        -------
        numpy.ndarray
            Shape (n_runs, 2).
        """
        ranges = [(i, i) for i in (*self.dropped, *self.blank)]
        runs = np.array([*ranges, *self.cropped], np.int64).reshape(-1, 2)
        runs = np.asarray(np.clip(runs + np.array([0, 1]), 0, self.n_samples))
        runs = runs[runs[:, 1] > runs[:, 0]]
        runs = runs[np.argsort(runs[:, 0], kind="stable")]
        if not len(runs):
            return runs
        reach = np.maximum.accumulate(runs[:, 1])
        first = np.concatenate([[True], runs[1:, 0] > reach[:-1]])
        last = np.concatenate([first[1:], [True]])
        separate = np.stack([runs[first, 0], reach[last]], axis=1)
        return np.asarray(separate, np.int64)

    @property
    def n_valid(self) -> int:
        """Number of samples that are not missing."""
        runs = self.missing_runs()
        return self.n_samples - int((runs[:, 1] - runs[:, 0]).sum())

    def valid_samples(self) -> NDArray[np.int64]:
        """Return the numbers of the samples that are not missing."""
        runs = self.missing_runs()
        starts = np.concatenate([[0], runs[:, 1]])
        stops = np.concatenate([runs[:, 0], [self.n_samples]])
        return np.concatenate(
            [
                np.arange(start, stop, dtype=np.int64)
                for start, stop in zip(starts, stops, strict=True)
            ]
        )

    def missing(self) -> dict[str, list[Any]]:
        """Return the missing samples by reason, JSON-safe."""
        return {
            "dropped": list(self.dropped),
            "cropped": [list(run) for run in self.cropped],
            "blank": list(self.blank),
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in a footer."""
        return {
            "blank": list(self.blank),
            "cropped": [f"{first} - {last}" for first, last in self.cropped],
            "dropped": list(self.dropped),
            "numTimes": self.n_samples,
            "period": ratio(self.period),
            "start": moment(self.start, self.utc_offset),
        }


def read_timing(footer: Footer) -> Timing:
    """Return the timing that a footer describes.

    Raises
    ------
    ReadError
        If it has none, or one that makes no sense.
    """
    period = footer.ratio("timingInfo", "period")
    if period is None or period <= 0:
        value = footer.get("timingInfo", "period")
        raise footer.error(("timingInfo", "period"), value, "a time above 0")
    return Timing(
        n_samples=footer.integer("timingInfo", "numTimes", low=1),
        period=period,
        start=footer.ratio("timingInfo", "start", "secsSinceEpoch") or Fraction(0),
        utc_offset=footer.integer(
            "timingInfo", "start", "utcOffset", low=-(2**31), default=0
        ),
        dropped=_samples(footer, "dropped"),
        cropped=_ranges(footer),
        blank=_samples(footer, "blank"),
    )


def _samples(footer: Footer, name: str) -> tuple[int, ...]:
    numbers = footer.integers("timingInfo", name)
    if any(not 0 <= number <= MAX_COUNT for number in numbers):
        raise footer.error(("timingInfo", name), numbers, "numbers of samples")
    return tuple(numbers)


def _ranges(footer: Footer) -> tuple[tuple[int, int], ...]:
    """Return the cropped ranges: texts "first - last", or "sample"."""
    found = []
    for text in footer.texts("timingInfo", "cropped"):
        match = _RANGE.fullmatch(text)
        if match is None:
            raise footer.error(("timingInfo", "cropped"), text, "'first - last'")
        first = int(match[1])
        found.append((first, first if match[2] is None else int(match[2])))
    return tuple(found)


def timing_of(
    n_samples: int,
    frame_rate: float,
    date: str | None = None,
    *,
    missing: Iterable[int] = (),
) -> Timing:
    """Return the timing of data that is to be written.

    Parameters
    ----------
    n_samples : int
        Samples from first to last.
    frame_rate : float
        Hz.
    date : str, optional
        Start, ISO 8601; without a time zone it is taken for UTC.
    missing : iterable of int, optional
        Samples that are missing; they become dropped ones.

    Raises
    ------
    ParameterError
        If the rate is none or the date is not ISO 8601.
    """
    if not np.isfinite(frame_rate) or frame_rate <= 0:
        raise ParameterError(f"frame_rate={frame_rate}; give Hz above 0.")
    start, utc_offset = Fraction(0), 0
    if date is not None:
        try:
            moment = datetime.fromisoformat(date)
        except ValueError as error:
            raise ParameterError(
                f"date='{date}' is not ISO 8601, such as 2023-11-14T22:15:23.456."
            ) from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        since = moment - _EPOCH
        micros = (since.days * 86400 + since.seconds) * 10**6 + since.microseconds
        start = Fraction(micros, 10**6)
        utc_offset = int((moment.utcoffset() or timedelta()).total_seconds())
    return Timing(
        n_samples, period_of(frame_rate), start, utc_offset, tuple(sorted(missing))
    )


def period_of(frame_rate: float) -> Fraction:
    """Return 1 / rate, to the nanosecond at least, as a ratio of small numbers."""
    exact = 1 / Fraction(frame_rate)
    near = exact.limit_denominator(10**6)
    return near if near > 0 else exact.limit_denominator(10**12)


def ratio(value: Fraction | int, den: int | None = None) -> dict[str, int]:
    """Return a number as it stands in a footer, over ``den`` where that is exact."""
    value = Fraction(value)
    if den is None or (value * den).denominator != 1:
        den = value.denominator
    return {"den": den, "num": int(value * den)}


def moment(start: Fraction, utc_offset: int = 0) -> dict[str, Any]:
    """Return a moment as it stands in a footer."""
    den = 1000 if start else 1
    return {"secsSinceEpoch": ratio(start, den), "utcOffset": utc_offset}
