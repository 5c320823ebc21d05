"""Epochs: tables in seconds, exact frames, and errors for what can not be."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.data.epochs import (
    COLUMNS,
    check_epochs,
    epochs_to_frames,
    frames_to_epochs,
    make_epochs,
    with_epochs,
)
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError

RATES = st.sampled_from([1.0, 7.3, 10.0, 15.0, 29.97, 30.0, 1000 / 3])


def movie(n_frames=100, **facts):
    return as_recording(np.zeros((n_frames, 1, 1)), **facts)


def test_make_epochs_from_tuples_mappings_and_tables():
    rows = [
        ("odour", "b", 5, 7),
        {"stimulus_type": "odour", "name": "a", "start_s": 1, "stop_s": "2.5"},
        ("light", "on", 0, 9, "#123456"),
    ]
    epochs = make_epochs(rows)
    assert list(epochs.columns) == list(COLUMNS)
    assert epochs["name"].tolist() == ["on", "a", "b"]
    assert epochs["stop_s"].tolist() == [9, 2.5, 7]
    assert epochs["colour"][0] == "#123456"
    assert epochs["colour"].nunique() == 3
    pd.testing.assert_frame_equal(make_epochs(epochs), epochs)


def test_equal_names_have_equal_colours():
    rows = [("t", name, i, i + 1) for i, name in enumerate("abcabc")]
    rows[4] = (*rows[4], "#000000")
    colours = make_epochs(rows).groupby("name")["colour"].unique()
    assert colours["b"].tolist() == ["#000000"] or len(colours["b"]) == 1
    assert len(colours["a"]) == len(colours["c"]) == 1


def test_no_epochs_are_a_table_without_rows():
    empty = make_epochs()
    assert list(empty.columns) == list(COLUMNS)
    assert len(epochs_to_frames(empty, movie(frame_rate=10))) == 0
    assert empty["start_s"].dtype == float


def test_frames_cover_start_but_not_stop():
    epochs = make_epochs([("t", "a", 1.0, 2.0), ("t", "b", 2.0, 2.05)])
    frames = epochs_to_frames(epochs, movie(frame_rate=10))
    assert frames["start_frame"].tolist() == [10, 20]
    assert frames["stop_frame"].tolist() == [20, 21]
    assert frames["start_frame"].dtype == np.int64


def test_rounding_of_seconds_does_not_cost_a_frame():
    epochs = make_epochs([("t", "a", 0.1 * 3, 0.7), ("t", "b", 0.7, 0.1 * 3 + 0.8)])
    frames = epochs_to_frames(epochs, movie(frame_rate=10))
    assert 0.1 * 3 > 0.3
    assert frames["start_frame"].tolist() == [3, 7]
    assert frames["stop_frame"].tolist() == [7, 11]


def test_what_lies_outside_the_recording_is_cut_off():
    epochs = make_epochs([("t", "a", 9, 12), ("t", "b", 20, 30)])
    frames = epochs_to_frames(epochs, movie(frame_rate=10))
    assert frames["start_frame"].tolist() == [90, 100]
    assert frames["stop_frame"].tolist() == [100, 100]


@given(
    RATES, st.integers(0, 5000).flatmap(lambda a: st.tuples(st.just(a), st.integers(1)))
)
def test_frames_survive_a_round_trip(rate, bounds):
    start, length = bounds
    stop = min(start + length, 5500)
    table = pd.DataFrame(
        {
            "stimulus_type": ["t"],
            "name": ["a"],
            "start_frame": [start],
            "stop_frame": [stop],
        }
    )
    for recording in (
        movie(5500, frame_rate=rate),
        movie(5500, frame_rate=rate, time_s=0.05 + np.arange(5500) / rate),
    ):
        again = epochs_to_frames(frames_to_epochs(table, recording), recording)
        assert again["start_frame"].tolist() == [start]
        assert again["stop_frame"].tolist() == [stop]


@given(
    st.lists(st.integers(1, 2000), min_size=3, max_size=30, unique=True),
    st.integers(0, 2100),
    st.integers(1, 500),
)
def test_real_time_stamps_decide(milliseconds, start, length):
    times = np.sort(milliseconds) / 1000
    epochs = make_epochs([("t", "a", start / 1000, (start + length) / 1000)])
    frames = epochs_to_frames(epochs, times).iloc[0]
    inside = (times >= start / 1000 - 1e-9) & (times < (start + length) / 1000 - 1e-9)
    covered = np.arange(len(times))
    covered = (covered >= frames["start_frame"]) & (covered < frames["stop_frame"])
    np.testing.assert_array_equal(covered, inside)


def test_epochs_of_a_part_of_a_recording_follow_its_time_stamps():
    whole = movie(frame_rate=10, time_s=np.arange(100) / 10)
    epochs = make_epochs([("t", "a", 5, 6)])
    frames = epochs_to_frames(epochs, whole[40:])
    assert frames["start_frame"].tolist() == [10]
    assert frames["stop_frame"].tolist() == [20]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (("t", "a", -1, 2), r"'a' \(-1 to 2 s\).*0 or more"),
        (("t", "a", 2, 2), "greater than start_s"),
        (("t", "a", float("nan"), 2), "finite"),
        (("t", "a", 1, float("inf")), "finite"),
        (("t", "a", "soon", 2), "start_s='soon'"),
        (("t", "a", None, 2), "start_s=None"),
        (("t", "a", 1, 2, "", "more"), "expected the 5 values"),
        ("text", "Epoch 0 is 'text'"),
        (("t", "a"), "expected stimulus_type, name, start_s, stop_s"),
        ({"name": "a", "begin": 1}, "Epoch 0 has name, begin"),
    ],
)
def test_rows_that_make_no_epoch(row, text):
    with pytest.raises(ParameterError, match=text):
        make_epochs([row])


def test_epochs_of_one_type_must_not_overlap():
    rows = [("t", "a", 0, 2), ("t", "b", 1.5, 3)]
    with pytest.raises(ParameterError, match=r"'a' \(0 to 2 s\) and 'b'"):
        make_epochs(rows)
    make_epochs([("t", "a", 0, 2), ("u", "b", 1.5, 3)])
    make_epochs([("t", "a", 0, 0.1 + 0.2), ("t", "b", 0.3, 1)])


def test_check_epochs_wants_columns_and_a_start_in_the_recording():
    epochs = make_epochs([("t", "a", 5, 8)])
    with pytest.raises(ParameterError, match="colour"):
        check_epochs(epochs.drop(columns="colour"))
    with pytest.raises(ParameterError, match="ends at 4 s"):
        check_epochs(epochs, stop_s=4)
    assert check_epochs(epochs, stop_s=6) is epochs


def test_seconds_need_a_frame_rate_and_times_must_rise():
    epochs = make_epochs([("t", "a", 5, 8)])
    with pytest.raises(ParameterError, match=r"stimulus epochs needs the frame rate"):
        epochs_to_frames(epochs, movie())
    with pytest.raises(ParameterError, match="rise"):
        epochs_to_frames(epochs, [0, 1, 1, 2])
    with pytest.raises(ParameterError, match="rise"):
        epochs_to_frames(epochs, [0, np.nan])
    with pytest.raises(ParameterError, match=r"\(0,\)"):
        epochs_to_frames(epochs, [])


def test_frames_outside_the_recording_are_refused():
    table = pd.DataFrame(
        {
            "stimulus_type": ["t"],
            "name": ["a"],
            "start_frame": [90],
            "stop_frame": [101],
        }
    )
    with pytest.raises(ParameterError, match="0 to 100"):
        frames_to_epochs(table, movie(frame_rate=10))
    with pytest.raises(ParameterError, match="whole numbers"):
        frames_to_epochs(table.assign(stop_frame=95.5), movie(frame_rate=10))
    with pytest.raises(ParameterError, match="lacks the columns name"):
        frames_to_epochs(table.drop(columns="name"), movie(frame_rate=10))
    coloured = table.assign(stop_frame=100, colour="#ff0000")
    epochs = frames_to_epochs(coloured, movie(frame_rate=10))
    assert epochs.iloc[0].tolist() == ["t", "a", 9.0, 10.0, "#ff0000"]


def test_epochs_are_added_and_their_type_replaced():
    known = make_epochs([("light", "on", 1, 2), ("odour", "mint", 3, 4)])
    new = make_epochs([("light", "off", 5, 6)])
    found = with_epochs(known, new)
    assert found["name"].tolist() == ["off", "mint"]
    assert with_epochs(None, new).equals(new)
    both = with_epochs(known, new, replacing="odour")
    assert sorted(both["name"]) == ["off", "on"]
