"""History: steps with versions and times, ids of data, and JSON-safe values."""

import json
import pathlib
import uuid
from datetime import datetime
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from napari_mesmerize.data.components import Components
from napari_mesmerize.history import (
    StepTimer,
    identify,
    json_safe,
    parse_history,
    versions,
)


class Params(BaseModel, frozen=True, extra="forbid"):
    sigma: Annotated[float, Field(ge=0)] = 1.5


def test_a_step_says_what_was_done_when_and_with_what(make_recording):
    recording = make_recording(np.zeros((2, 2, 2)), source={"uri": "file:a.tif"})
    timer = StepTimer("smooth", Params(), inputs=[recording, "b"], seed=3)
    old = [{"operation": "read", "id": "1"}]
    history = timer.extend(old)
    assert old == [{"operation": "read", "id": "1"}]
    assert history[0] == old[0]
    step = parse_history(history)[1]
    assert step.operation == "smooth"
    assert step.params == {"sigma": 1.5}
    assert step.inputs == ["file:a.tif", "b"]
    assert step.seed == 3
    assert uuid.UUID(step.id)
    assert {"python", "napari-mesmerize", "numpy"} <= set(step.versions)
    assert datetime.fromisoformat(step.started).tzinfo is not None
    assert 0 <= step.duration_s < 60
    assert json.loads(json.dumps(history)) == history


def test_versions_are_a_copy():
    versions()["python"] = "0"
    assert versions()["python"] != "0"


def test_identify_prefers_history_to_source(make_recording):
    recording = make_recording(np.zeros((2, 2, 2)))
    assert identify(recording) == "DataArray"
    recording.attrs["source"] = {"uri": "file:a.tif"}
    assert identify(recording) == "file:a.tif"
    with StepTimer("smooth", {"k": 1}) as timer:
        recording.attrs["history"] = timer.extend([])
    assert identify(recording) == recording.attrs["history"][-1]["id"]
    components = Components.build(
        np.eye(4), (2, 2), {}, history=recording.attrs["history"]
    )
    assert identify(components) == identify(recording)
    assert identify(parse_history(components.history)[-1]) == "Step"


def test_a_history_of_another_form_is_refused():
    with pytest.raises(ValidationError):
        parse_history([{"operation": "x", "surprise": 1}])


def test_json_safe_converts_what_json_lacks():
    value = {
        1: np.float32(0.5),
        "array": np.array([[1, 2]]),
        "nan": [np.nan, np.inf],
        "set": {"b", "a"},
        "tuple": (True, None),
        "bytes": b"\xff ok",
        "path": pathlib.PurePosixPath("a/b"),
        "model": Params(),
        "when": np.datetime64("2020-01-01T00:00:00"),
        "long": np.longdouble(0.5),
    }
    assert json_safe(value) == {
        "1": 0.5,
        "array": [[1, 2]],
        "nan": [None, None],
        "set": ["a", "b"],
        "tuple": [True, None],
        "bytes": "\ufffd ok",
        "path": "a/b",
        "model": {"sigma": 1.5},
        "when": "2020-01-01 00:00:00",
        "long": 0.5,
    }


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda items: st.lists(items) | st.dictionaries(st.text(), items),
    max_leaves=10,
)


@given(plain)
def test_json_safe_always_gives_json_and_is_idempotent(value):
    safe = json_safe(value)
    json.dumps(safe, allow_nan=False)
    assert json_safe(safe) == safe
