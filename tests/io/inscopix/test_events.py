"""Inscopix event sets and GPIO: tables that hold what is stored."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.errors import ParameterError, ReadError, WriteError
from napari_mesmerize.io.inscopix.container import read_footer, write_container
from napari_mesmerize.io.inscopix.events import (
    event_traces,
    read_event_set,
    read_gpio,
    signal_epochs,
    write_event_set,
)

DATA = Path(__file__).parents[2] / "data" / "isxd"
EXPECTED = json.loads((DATA / "expected.json").read_text())["files"]
ARRAYS = dict(np.load(DATA / "expected.npz"))


def test_read_event_set_returns_what_is_stored():
    facts = EXPECTED["eventset.isxd"]
    events = read_event_set(DATA / "eventset.isxd")
    assert list(events["cell"].cat.categories) == facts["names"]
    assert events["cell"].value_counts(sort=False).tolist() == facts["counts"]
    for i, name in enumerate(facts["names"]):
        mine = events[events["cell"] == name]
        np.testing.assert_array_equal(
            mine["offset_us"], ARRAYS[f"eventset_{i}_offsets_us"]
        )
        np.testing.assert_array_equal(
            mine["amplitude"], ARRAYS[f"eventset_{i}_amplitudes"]
        )
    assert events.attrs["n_samples"] == facts["num_samples"]
    assert events.attrs["frame_rate"] == 20.0
    assert events.attrs["date"] == "2023-11-14T22:15:23.456+00:00"


def test_write_gives_the_bytes_of_the_vendor(tmp_path):
    events = read_event_set(DATA / "eventset.isxd")
    path = write_event_set(events.sample(frac=1, random_state=0), tmp_path / "e.isxd")
    ours, theirs = read_footer(path), read_footer(DATA / "eventset.isxd")
    assert ours.data[: ours.n_bytes] == theirs.data[: theirs.n_bytes]
    assert {**ours.content, "writer": None} == {**theirs.content, "writer": None}


def test_a_plain_table_can_be_written(tmp_path):
    events = pd.DataFrame(
        {"cell": ["b", "a", "b"], "time_s": [0.3, 0.1, 0.2], "amplitude": [3, 1, 2]}
    )
    path = write_event_set(
        events,
        tmp_path / "e.isxd",
        n_samples=10,
        frame_rate=10.0,
        cells=["a", "b", "c"],
    )
    again = read_event_set(path)
    assert again["cell"].tolist() == ["a", "b", "b"]
    assert again["offset_us"].tolist() == [100000, 200000, 300000]
    assert again["amplitude"].tolist() == [1, 2, 3]
    assert again.attrs["cells"] == ["a", "b", "c"]


def test_an_event_set_without_events_comes_back(tmp_path):
    events = pd.DataFrame({"cell": [], "time_s": [], "amplitude": []})
    path = write_event_set(
        events, tmp_path / "e.isxd", n_samples=10, frame_rate=10.0, cells=["a"]
    )
    again = read_event_set(path)
    assert len(again) == 0
    assert again.attrs["cells"] == ["a"]


def test_events_as_traces():
    events = read_event_set(DATA / "eventset.isxd")
    traces = event_traces(events, 40, 20.0)
    assert traces.shape == (5, 40)
    for i in range(5):
        frames = ARRAYS[f"eventset_{i}_offsets_us"].astype(int) // 50_000
        np.testing.assert_array_equal(np.flatnonzero(traces[i]), frames)
        np.testing.assert_array_equal(
            traces[i, frames], ARRAYS[f"eventset_{i}_amplitudes"]
        )


@pytest.mark.parametrize(
    ("change", "keywords", "said"),
    [
        ({}, {"n_samples": None}, "needs the length"),
        ({}, {"cells": ["a"]}, "b is not there"),
        ({}, {"cells": ["a", "b", "b"]}, "comes twice"),
        ({"time_s": [-1.0, 2.0]}, {}, "0 s or later"),
        ({"amplitude": None}, {}, "no column 'amplitude'"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change, keywords, said, tmp_path):
    columns = {"cell": ["a", "b"], "time_s": [0.0, 1.0], "amplitude": [1.0, 1.0]}
    columns |= change
    events = pd.DataFrame({k: v for k, v in columns.items() if v is not None})
    options = {"n_samples": 10, "frame_rate": 10.0} | keywords
    with pytest.raises(ParameterError, match=said):
        write_event_set(events, tmp_path / "e.isxd", **options)
    assert not list(tmp_path.iterdir())


def test_an_existing_event_set_is_kept(tmp_path):
    path = tmp_path / "e.isxd"
    path.write_text("precious")
    with pytest.raises(WriteError, match="overwrite=True"):
        write_event_set(read_event_set(DATA / "eventset.isxd"), path)
    assert path.read_text() == "precious"


def test_read_gpio_returns_every_channel():
    signals = read_gpio(DATA / "gpio_spec.isxd")
    for i, channel in enumerate(EXPECTED["gpio_spec.isxd"]["channels"]):
        mine = signals[signals["channel"] == channel]
        np.testing.assert_array_equal(mine["offset_us"], ARRAYS[f"gpio_{i}_us"])
        np.testing.assert_array_equal(mine["value"], ARRAYS[f"gpio_{i}_value"])
    assert signals.attrs["duration_s"] == 0.2


def test_signals_as_epochs():
    signals = read_gpio(DATA / "gpio_spec.isxd")
    epochs = signal_epochs(signals, "EX-LED", "light", name="on")
    assert epochs[["start_s", "stop_s"]].to_numpy().tolist() == [[0.02, 0.09]]
    assert epochs["name"].tolist() == ["on"]
    with pytest.raises(ParameterError, match="GPIO-1"):
        signal_epochs(signals, "GPIO-9", "light")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"numSamples": [10**9, 0, 0, 0, 0]}, "1000000000 samples"),
        ({"numSamples": [1]}, "5 counts"),
        ({"channel list": ["only"], "numSamples": []}, "at least 5 channels"),
        ({"type": 3}, "expected an event set"),
    ],
)
def test_damaged_event_sets_are_refused(changes, said, tmp_path):
    footer = read_footer(DATA / "eventset.isxd")
    path = tmp_path / "bad.isxd"
    content = dict(footer.content) | changes
    write_container(path, [footer.data[: footer.n_bytes]], content)
    with pytest.raises(ReadError, match=said):
        read_event_set(path)
