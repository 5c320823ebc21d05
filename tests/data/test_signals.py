"""Levels of signals, and the epochs they mean."""

import numpy as np
import pytest

from napari_mesmerize.data.signals import Signal, count_levels, signal_levels
from napari_mesmerize.errors import ParameterError


def stepped(times, values):
    return Signal("AUXo3", np.array(times, float), np.array(values, float), True)


def test_levels_near_one_another_are_one():
    signal = stepped(range(6), [0.0, -0.04, 1.52, 1.48, 0.03, 9.0])
    assert signal.levels() == [0.0, 1.5]
    assert str(signal.levels()[0]) == "0.0"
    epochs = signal.epochs({1.5: "on"}, "light")
    assert epochs["start_s"].tolist() == [2.0, 3.0]


def test_levels_stay_distinct_where_one_decimal_is_not_enough():
    fine = stepped(range(4), [1.01, 1.04, 1.07, 0])
    assert fine.levels(tolerance=0.005) == [1.01, 1.04, 1.07]


def test_levels_of_several_records_are_collected():
    records = [stepped([0, 1, 2], [0, 1.5, 0]), stepped([0, 1, 2], [3.0, 1.5, 0])]
    assert signal_levels(records) == [0.0, 1.5, 3.0]
    assert signal_levels([]) == []


def test_epochs_are_cut_off_at_both_ends_of_the_movie():
    signal = stepped([-3, -1, 2, 8], [0, 1, 1, 0])
    epochs = signal.epochs({1.0: "on"}, "light", stop_s=5.0)
    assert epochs[["start_s", "stop_s"]].to_numpy().tolist() == [[0, 2], [2, 5]]


def test_plain_samples_are_joined_to_runs():
    signal = Signal(
        "AUXi1", np.arange(8) / 10, np.array([0, 5, 5, 5, 0, 0, 5, 5.0]), False
    )
    epochs = signal.epochs({5.0: "on"}, "light")
    np.testing.assert_allclose(epochs[["start_s", "stop_s"]], [[0.1, 0.4], [0.6, 0.8]])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({}, "No level was named"),
        ({7.0: "x"}, r"levels \[0.0, 1.5\] V; none of \[7.0\] V occurs"),
        ({1.5: "x", 1.52: "y"}, "too near"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, said):
    with pytest.raises(ParameterError, match=said):
        stepped([0, 1, 2], [0, 1.5, 0]).epochs(names, "light")


def test_rate_duration_and_number_of_samples():
    even = Signal("a", np.arange(11) / 5, np.arange(11.0), stepped=False)
    assert even.rate == pytest.approx(5)
    assert even.duration_s == pytest.approx(2)
    assert even.n_samples == 11
    uneven = Signal("a", np.array([0, 1, 3.0]), np.zeros(3), stepped=False)
    assert uneven.rate is None
    levels = stepped([0, 1, 3, 4], [0, 5, 0, 0])
    assert levels.rate is None
    assert levels.n_samples == 3


def test_changes_and_how_often_a_level_comes():
    signal = stepped([0, 1, 3, 4, 6], [0, 5, 0, 5, 5])
    assert signal.n_changes() == 5
    assert signal.n_times(5.0) == 2
    assert signal.n_times(2.0) == 0
    noise = Signal("a", np.arange(99.0), np.arange(99.0), stepped=True)
    assert noise.n_changes() == 0
    assert count_levels(noise) == 98


def test_values_that_are_missing_are_no_level():
    signal = Signal("a", np.arange(4.0), np.array([0, np.nan, 5, np.nan]), False)
    assert signal.levels() == [0.0, 5.0]
    assert count_levels(signal) == 2


def test_a_delay_and_the_line_that_draws_steps():
    signal = stepped([0, 1, 3], [0, 5, 5]).moved(2)
    assert signal.time_s.tolist() == [2, 3, 5]
    x, y = signal.line()
    assert x.tolist() == [2, 3, 3, 5, 5]
    assert y.tolist() == [0, 0, 5, 5, 5]
