import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_mesmerize.data.colours import colours_for
from napari_mesmerize.widgets.rois.table_model import RoiTableModel, matches

DISPLAY = Qt.ItemDataRole.DisplayRole
CHECK = Qt.ItemDataRole.CheckStateRole
EDIT = Qt.ItemDataRole.EditRole


@pytest.fixture
def model(roi_set, qapp):
    made = RoiTableModel()
    made.show(roi_set, colours_for(roi_set.table, "ROI"))
    return made


def column(model, name):
    return model.columns.index(name)


def test_tags_come_first_and_outlines_are_hidden(model):
    assert model.columns[:3] == ["ROI", "accepted", "cell_type"]
    assert "outline" not in model.columns
    assert model.data(model.index(1, column(model, "snr")), DISPLAY) == "8"
    assert model.data(model.index(1, 0), DISPLAY) == "2"
    assert model.headerData(1, Qt.Orientation.Horizontal, DISPLAY) == "✓"


def test_qt_finds_the_model_consistent(model, qtmodeltester):
    qtmodeltester.check(model, force_py=True)


def test_acceptance_and_tags_are_edited_in_place(model, roi_set):
    index = model.index(3, column(model, "accepted"))
    assert model.data(index, CHECK) == Qt.CheckState.Unchecked
    assert model.setData(index, Qt.CheckState.Checked.value, CHECK)
    assert roi_set.table["accepted"].all()
    assert model.setData(model.index(0, column(model, "cell_type")), "soma", EDIT)
    assert roi_set.table["cell_type"].iat[0] == "soma"
    assert not model.setData(model.index(0, column(model, "snr")), 3, EDIT)


def test_sorting_by_a_score(model):
    model.sort(column(model, "snr"), Qt.SortOrder.DescendingOrder)
    assert model.order.tolist() == [1, 0, 2, 3]
    model.sort(0, Qt.SortOrder.AscendingOrder)
    assert model.order.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("snr > 2", [0, 1]),
        ("snr>=2, snr < 8", [0, 2]),
        ("accepted = false", [3]),
        ("cell_type = soma", [1]),
        ("cell_type != soma", [0, 2, 3]),
        ("SOM", [1]),
        ("snr > ", [0, 1, 2, 3]),
        ("no such thing", []),
        ("__import__('os') > 1", []),
    ],
)
def test_filter_texts(roi_set, text, expected):
    roi_set.set_tag("cell_type", "soma", [1])
    assert np.flatnonzero(matches(roi_set.table, text)).tolist() == expected


def test_filter_choices(model, roi_set):
    roi_set.set_tag("cell_type", "soma", [1])
    for which, expected in (
        ("accepted", [0, 1, 2]),
        ("rejected", [3]),
        ("untagged", [0, 2, 3]),
        ("all", [0, 1, 2, 3]),
    ):
        model.set_filter("", which)
        assert model.order.tolist() == expected
    model.set_filter("snr > 3", "accepted")
    assert model.row_of(1) == 1
    assert model.row_of(3) is None
    assert model.row_of(None) is None


def test_nothing_is_shown_without_rois(model):
    model.show(None, np.empty((0, 4)))
    assert model.rowCount() == 0
