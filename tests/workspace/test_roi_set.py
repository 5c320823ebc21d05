import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.workspace.roi_set import RoiSet


def test_a_set_has_a_row_per_footprint_and_starts_saved(roi_set, components):
    assert list(roi_set.table.index) == list(components.roi_ids)
    assert roi_set.tag_columns == ["cell_type"]
    assert not roi_set.unsaved


def test_tags_and_acceptance_are_set_announced_and_undone(roi_set):
    heard = []
    roi_set.table_changed.connect(lambda: heard.append(1))
    roi_set.select(2)
    roi_set.set_tag("cell_type", " soma ")
    roi_set.set_accepted(False)
    assert roi_set.table["cell_type"].tolist() == ["", "", "soma", ""]
    assert roi_set.table["accepted"].tolist() == [True, True, False, False]
    assert roi_set.unsaved
    assert len(heard) == 2
    assert roi_set.undo() == "verdict of 1 ROI"
    assert roi_set.undo() == "cell type of 1 ROI"
    assert roi_set.undo() == ""
    assert roi_set.table["cell_type"].tolist() == [""] * 4
    assert roi_set.table["accepted"].tolist() == [True, True, True, False]


def test_several_rois_are_tagged_at_once(roi_set):
    roi_set.set_tag("cell_type", "glia", [0, 3])
    assert roi_set.table["cell_type"].tolist() == ["glia", "", "", "glia"]


def test_an_unknown_tag_column_is_refused(roi_set):
    with pytest.raises(ParameterError, match="'layer' is no tag column"):
        roi_set.set_tag("layer", "5")


def test_steps_follow_the_order_that_is_shown(roi_set):
    roi_set.step(1)
    assert roi_set.selected == 0
    roi_set.step(-1)
    assert roi_set.selected == 3
    roi_set.step(1, np.array([2, 1]))
    assert roi_set.selected == 2
    roi_set.step(1, np.array([2, 1]))
    assert roi_set.selected == 1
    roi_set.step(1, np.array([], int))
    assert roi_set.selected == 1


def test_a_pixel_is_looked_up_in_all_footprints(roi_set):
    assert sorted(roi_set.at_pixel((5, 5))) == [0, 1]
    assert roi_set.at_pixel((3, 3)) == [0]
    assert roi_set.at_pixel((0, 29)) == []
    assert roi_set.at_pixel((500, -3)) == []


def test_other_components_keep_the_tags_of_rois_that_stay(roi_set, components):
    roi_set.set_tag("cell_type", "soma", [1])
    roi_set.select(1)
    roi_set.replace(components.select([1, 2]))
    assert roi_set.table["cell_type"].tolist() == ["soma", ""]
    assert roi_set.selected == 0
    roi_set.replace(components.select([2]))
    assert roi_set.selected is None


def test_the_acceptance_of_the_table_goes_into_the_components(roi_set):
    roi_set.set_accepted(False, [0])
    accepted = roi_set.curated_components().accepted
    assert accepted.tolist() == [False, True, True, False]
    assert roi_set.components.accepted.tolist() == [True, True, True, False]


def test_a_table_is_put_into_the_order_of_the_footprints(components):
    table = roi_table_from_components(components).iloc[::-1]
    assert list(RoiSet(components, table).table.index) == list(components.roi_ids)
    with pytest.raises(ParameterError, match="lacks 1 of 4 ROIs"):
        RoiSet(components, table.iloc[1:])


def test_edits_made_in_a_features_table_are_taken_over(roi_set):
    features = roi_set.table.reset_index()
    features.loc[1, "cell_type"] = "soma"
    features.loc[0, "accepted"] = False
    roi_set.update_from(features)
    assert roi_set.table["cell_type"].iat[1] == "soma"
    assert not roi_set.table["accepted"].iat[0]
    roi_set.undo()
    roi_set.undo()
    assert roi_set.table["cell_type"].iat[1] == ""


def test_whole_columns_are_one_step_of_undo(roi_set):
    before = roi_set.table.copy()
    roi_set.set_columns(
        {
            "accepted": [False, True, True, True],
            "rejected_because": ["weak", "", "", ""],
        }
    )
    assert roi_set.table["accepted"].tolist() == [False, True, True, True]
    assert roi_set.table["rejected_because"].iloc[0] == "weak"
    assert roi_set.undo() == "evaluation"
    pd.testing.assert_frame_equal(roi_set.table, before)


def test_exchanged_rois_come_back_and_so_do_the_steps_before(roi_set):
    before, table = roi_set.components, roi_set.table
    roi_set.set_tag("cell_type", "soma", [1])
    roi_set.select(1)
    fewer = before.select([0, 2])
    roi_set.exchange(fewer, table.loc[list(fewer.roi_ids)])
    assert len(roi_set) == 2
    assert roi_set.selected is None
    roi_set.set_accepted(False, [1])
    roi_set.undo()
    assert roi_set.table["accepted"].all()
    roi_set.undo()
    assert roi_set.components.roi_ids == before.roi_ids
    assert (roi_set.components.footprints != before.footprints).nnz == 0
    assert roi_set.table["cell_type"].tolist() == ["", "soma", "", ""]
    roi_set.undo()
    assert roi_set.table["cell_type"].tolist() == ["", "", "", ""]
    roi_set.undo()


def test_other_traces_are_no_decision_of_the_user(roi_set, components):
    roi_set.replace(components)
    assert roi_set.unsaved
    assert not roi_set.curated
    roi_set.set_accepted(False, [0])
    roi_set.replace(components)
    assert roi_set.curated
