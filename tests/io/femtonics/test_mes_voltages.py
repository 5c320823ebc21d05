"""Voltages of .mes files, their levels, and the epochs they mean."""

import json
from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize.data.epochs import epochs_to_frames
from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.femtonics.mes_voltages import (
    Voltage,
    read_voltages,
    voltage_levels,
)

DATA = Path(__file__).parents[2] / "data" / "mes"
RECORD = json.loads((DATA / "expected.json").read_text("utf-8"))["two_channels.mes"][
    "records"
]["Df0001"]


def stepped(times, volts):
    return Voltage("AUXo3", np.array(times, float), np.array(volts, float), True)


def test_epochs_cover_the_frames_that_are_known():
    path = DATA / "two_channels.mes"
    voltage = read_voltages(path, "Df0001/pmtUG")["AUXo3"]
    names = {level: f"{level:.1f}" for level in voltage.levels()}
    epochs = voltage.epochs(names, "odour")
    frames = epochs_to_frames(epochs, read_recording(path, selection="Df0001/pmtUG"))
    found = [
        {"name_volt": name, "start_frame": start, "end_frame": stop}
        for name, start, stop in zip(
            frames["name"], frames["start_frame"], frames["stop_frame"], strict=True
        )
    ]
    assert found == RECORD["AUXo3"]


def test_channels_come_in_the_order_of_the_file():
    voltages = read_voltages(DATA / "two_channels.mes")
    assert list(voltages) == RECORD["aux"]
    assert voltages["AUXo3"].stepped
    assert not voltages["AUXi1"].stepped
    assert voltages["AUXo3"].levels() == [0.0, 1.5, 3.0]
    with pytest.raises(ReadError, match="no record 'Df0009'"):
        read_voltages(DATA / "two_channels.mes", "Df0009")


def test_levels_that_are_not_named_give_no_epochs():
    voltage = read_voltages(DATA / "two_channels.mes")["AUXo3"]
    epochs = voltage.epochs({3.0: "mint"}, "odour", colours={"mint": "#00ff00"})
    assert epochs["name"].tolist() == ["mint"]
    assert epochs["colour"].tolist() == ["#00ff00"]


def test_levels_near_one_another_are_one():
    voltage = stepped(range(6), [0.0, -0.04, 1.52, 1.48, 0.03, 9.0])
    assert voltage.levels() == [0.0, 1.5]
    assert str(voltage.levels()[0]) == "0.0"
    epochs = voltage.epochs({1.5: "on"}, "light")
    assert epochs["start_s"].tolist() == [2.0, 3.0]


def test_levels_stay_distinct_where_one_decimal_is_not_enough():
    fine = stepped(range(4), [1.01, 1.04, 1.07, 0])
    assert fine.levels(tolerance=0.005) == [1.01, 1.04, 1.07]


def test_levels_of_several_records_are_collected():
    records = [stepped([0, 1, 2], [0, 1.5, 0]), stepped([0, 1, 2], [3.0, 1.5, 0])]
    assert voltage_levels(records) == [0.0, 1.5, 3.0]
    assert voltage_levels([]) == []


def test_epochs_are_cut_off_at_both_ends_of_the_movie():
    voltage = stepped([-3, -1, 2, 8], [0, 1, 1, 0])
    epochs = voltage.epochs({1.0: "on"}, "light", stop_s=5.0)
    assert epochs[["start_s", "stop_s"]].to_numpy().tolist() == [[0, 2], [2, 5]]


def test_plain_samples_are_joined_to_runs():
    voltage = Voltage(
        "AUXi1", np.arange(8) / 10, np.array([0, 5, 5, 5, 0, 0, 5, 5.0]), False
    )
    epochs = voltage.epochs({5.0: "on"}, "light")
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
