"""Voltages of .mes files, and the epochs they mean."""

import json
from pathlib import Path

import pytest

from napari_mesmerize.data.epochs import epochs_to_frames
from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.femtonics.mes_voltages import read_voltages

DATA = Path(__file__).parents[2] / "data" / "mes"
RECORD = json.loads((DATA / "expected.json").read_text("utf-8"))["two_channels.mes"][
    "records"
]["Df0001"]


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
