"""Progress callables: what they report, and that they can stop a computation."""

import pytest

from napari_mesmerize.errors import Cancelled
from napari_mesmerize.progress import reporting, silent


def test_silent_passes_items_through():
    assert list(silent(range(3), desc="x", total=3)) == [0, 1, 2]


def test_reporting_calls_before_and_after_each_item():
    calls = []
    progress = reporting(lambda *call: calls.append(call))
    assert list(progress("ab", desc="Reading")) == ["a", "b"]
    assert calls == [("Reading", 0, 2), ("Reading", 1, 2), ("Reading", 2, 2)]


def test_reporting_of_an_unknown_total_says_0():
    calls = []
    list(reporting(lambda *call: calls.append(call))(iter("ab")))
    assert calls[-1] == ("", 2, 0)


def test_a_callback_can_cancel():
    def callback(desc, done, total):
        if done == 2:
            raise Cancelled("Cancelled by the user.")

    items = iter(reporting(callback)(range(5)))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(Cancelled, match="user"):
        next(items)
