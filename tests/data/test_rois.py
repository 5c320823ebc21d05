"""ROI tables: their columns, their round trip through Parquet, and their errors."""

import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.data import rois
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError

SQUARE = [[0, 0], [0, 3], [3, 3], [3, 0]]


@pytest.fixture
def components(small_2p):
    truth = small_2p.truth
    return Components.build(
        truth.footprints,
        truth.image_shape,
        {"denoised": truth.traces},
        scores=pd.DataFrame({"snr": truth.snr, "why": [""] * len(truth)}),
        accepted=truth.snr > 10,
    )


def test_a_table_of_components_has_their_ids_scores_and_outlines(components):
    table = rois.roi_table_from_components(components, "cnmf", tags=["cell_type"])
    assert table.index.name == "roi_id"
    assert tuple(table.index) == components.roi_ids
    assert list(table.columns) == [
        "kind",
        "outline",
        "accepted",
        "cell_type",
        "snr",
        "why",
    ]
    assert (table["kind"] == "cnmf").all()
    assert (table["cell_type"] == "").all()
    np.testing.assert_array_equal(table["accepted"], components.accepted)
    np.testing.assert_array_equal(table["snr"], components.scores["snr"])
    table.loc[table.index[0], "accepted"] = not components.accepted[0]
    assert table["accepted"].iloc[0] != components.accepted[0]


def test_a_table_survives_parquet(tmp_path, components):
    table = rois.roi_table_from_components(components, tags=["a"])
    table.to_parquet(tmp_path / "rois.parquet")
    again = pd.read_parquet(tmp_path / "rois.parquet")
    assert list(again.columns) == list(table.columns)
    assert list(again.index) == list(table.index)
    for left, right in zip(table["outline"], again["outline"], strict=True):
        np.testing.assert_array_equal(np.stack(list(right)), left)


def test_drawn_rois_get_ids(make_recording):
    table = rois.roi_table_from_outlines([SQUARE, np.add(SQUARE, 4)], tags=["layer"])
    assert table["kind"].tolist() == ["drawn", "drawn"]
    assert table.index.is_unique
    assert table["accepted"].all()
    recording = make_recording(np.arange(2 * 100.0).reshape(2, 10, 10))
    traces = rois.extract_traces(recording, table)
    np.testing.assert_allclose(traces[:, 0], [16.5, 60.5])
    deep = [[1, *point] for point in SQUARE]
    assert len(rois.roi_table_from_outlines([deep], roi_ids=["x"]).loc["x", "outline"])


def test_an_empty_table_has_all_columns():
    table = rois.empty_roi_table(["a", "b"])
    assert list(table.columns) == ["kind", "outline", "accepted", "a", "b"]
    assert len(table) == 0
    assert table["accepted"].dtype == bool
    assert rois.check_roi_table(table) is table


def test_tables_that_can_not_be(components):
    with pytest.raises(ParameterError, match="Tags must differ"):
        rois.empty_roi_table(["kind"])
    with pytest.raises(ParameterError, match="Tags must differ"):
        rois.empty_roi_table(["a", "a"])
    with pytest.raises(ParameterError, match=r"scores snr have the names"):
        rois.roi_table_from_components(components, tags=["snr"])
    with pytest.raises(ParameterError, match=r"ROI 1: .*polygon"):
        rois.roi_table_from_outlines([SQUARE, [[0, 0], [1, 1]]])
    with pytest.raises(ParameterError, match="1 roi_ids for 2 ROIs"):
        rois.roi_table_from_outlines([SQUARE, SQUARE], roi_ids=["a"])
    with pytest.raises(ParameterError, match="id a more than once"):
        rois.roi_table_from_outlines([SQUARE, SQUARE], roi_ids=["a", "a"])
    table = rois.roi_table_from_outlines([SQUARE])
    with pytest.raises(ParameterError, match="lacks the columns outline"):
        rois.check_roi_table(table.drop(columns="outline"))
    with pytest.raises(ParameterError, match="expected 'roi_id'"):
        rois.check_roi_table(table.reset_index(drop=True))
