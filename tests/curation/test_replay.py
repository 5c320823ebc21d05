import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.curation.merge_split import merge_components, split_component
from napari_mesmerize.curation.replay import curation_steps, replay_curation
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import ParameterError


def assert_same(one, two):
    assert one.roi_ids == two.roi_ids
    assert (one.footprints != two.footprints).nnz == 0
    for kind, traces in one.traces.items():
        np.testing.assert_array_equal(traces, two.traces[kind])
    np.testing.assert_array_equal(one.accepted, two.accepted)


def squares(n_rois):
    images = np.zeros((n_rois, 6, 4 * n_rois), np.float32)
    for i, image in enumerate(images):
        image[1:5, 4 * i : 4 * i + 3] = 1
    traces = np.random.default_rng(1).random((n_rois, 30)).astype(np.float32)
    return Components.build(
        sparse.csc_array(images.reshape(n_rois, -1).T),
        images.shape[1:],
        {"raw": traces},
        frame_rate=10.0,
    )


@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4))
def test_merges_and_splits_are_done_again(pairs):
    start = squares(8)
    curated, states = start, [start]
    for a, b in pairs:
        a, b = a % len(curated), b % len(curated)
        if a != b:
            curated = merge_components(curated, [a, b]).components
        elif len(np.unique(curated.footprints[:, [a]].indices)) > 12:
            curated = split_component(curated, a, by="pieces").components
        else:
            continue
        states.append(curated)
    again, _ = replay_curation(start, curated.history)
    assert_same(again, curated)
    if len(states) > 1:
        steps = curation_steps(curated.history)
        undone, _ = replay_curation(start, steps[:-1])
        assert_same(undone, states[-2])


def test_curation_of_an_extraction_survives_a_journal(small_2p):
    recording = small_2p.recording
    found = extract_components(recording, CnmfParams(cell_diameter=9.0))
    table = roi_table_from_components(found)
    table["tag"] = "x"
    merged = merge_components(found, [0, 1]).components
    largest = int(np.argmax(merged.footprints.sum(axis=0)))
    try:
        curated = split_component(merged, largest, recording=recording).components
    except ParameterError:
        curated = merge_components(merged, [0, 2]).components
    again, carried = replay_curation(
        found, curated.history, table=table, recording=recording
    )
    assert_same(again, curated)
    assert list(carried.index) == list(curated.roi_ids)
    assert (carried["tag"] == "x").all()
    same, _ = replay_curation(curated, curated.history)
    assert same is curated


def test_steps_with_unknown_rois_are_named():
    start = squares(3)
    other = merge_components(squares(3), [0, 1]).components
    with pytest.raises(ParameterError, match="not among these 3 components"):
        replay_curation(start, other.history)
