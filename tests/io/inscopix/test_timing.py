"""Timing of .isxd files: missing samples against plain sets of numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io.inscopix.timing import Timing, period_of, timing_of

samples = st.integers(0, 40)
ranges = st.tuples(samples, samples).map(lambda pair: tuple(sorted(pair)))


@given(
    n_samples=st.integers(1, 35),
    dropped=st.lists(samples, max_size=6),
    cropped=st.lists(ranges, max_size=4),
    blank=st.lists(samples, max_size=6),
)
def test_valid_samples_are_those_not_missing(n_samples, dropped, cropped, blank):
    timing = Timing(
        n_samples,
        Fraction(1, 20),
        dropped=tuple(dropped),
        cropped=tuple(cropped),
        blank=tuple(blank),
    )
    missing = {*dropped, *blank}
    missing |= {i for first, last in cropped for i in range(first, last + 1)}
    expected = [i for i in range(n_samples) if i not in missing]
    assert timing.valid_samples().tolist() == expected
    assert timing.n_valid == len(expected)


@pytest.mark.parametrize(
    ("rate", "period"),
    [
        (20.0, Fraction(1, 20)),
        (1000 / 30, Fraction(3, 100)),
        (1e6 / 50037, Fraction(50037, 10**6)),
        (29.97, Fraction(100, 2997)),
    ],
)
def test_periods_are_ratios_of_small_numbers(rate, period):
    assert period_of(rate) == period


@given(rate=st.floats(1e-3, 1e5))
def test_periods_are_near_the_rate(rate):
    assert abs(float(period_of(rate)) - 1 / rate) < 1e-9 + 1e-6 / rate


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2023-11-14T22:15:23.456+00:00", "2023-11-14T22:15:23.456+00:00"),
        ("2023-11-14T22:15:23.456", "2023-11-14T22:15:23.456+00:00"),
        ("2023-11-15T00:15:23+02:00", "2023-11-15T00:15:23.000+02:00"),
        (None, None),
    ],
)
def test_dates_come_back(date, expected):
    assert timing_of(3, 10.0, date).date == expected


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
def test_rates_that_are_none_are_refused(rate):
    with pytest.raises(ParameterError, match="give Hz above 0"):
        timing_of(3, rate)


def test_dates_that_are_none_are_refused():
    with pytest.raises(ParameterError, match="not ISO 8601"):
        timing_of(3, 10.0, "yesterday")
