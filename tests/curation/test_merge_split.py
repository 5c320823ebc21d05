import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.curation.merge_split import (
    carry_table,
    merge_components,
    related,
    split_component,
)
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import ParameterError


@pytest.fixture(scope="module")
def found(small_2p):
    return extract_components(small_2p.recording, CnmfParams(cell_diameter=9.0))


@pytest.fixture(scope="module")
def neighbours(found):
    """Two accepted components that overlap, with activity of their own."""
    for i in np.flatnonzero(found.accepted):
        near = related(found, i)
        near = near[found.accepted[near["position"]] & (near["overlap"] > 0.02)]
        if len(near) and near["correlation"].iloc[0] < 0.5:
            return int(i), int(near["position"].iloc[0])
    raise AssertionError("the simulation has no two cells that overlap")


def alike(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def new_positions(curation):
    ids = curation.components.roi_ids
    return [i for i, name in enumerate(ids) if name in curation.parents]


def masks(*boxes, shape=(12, 16)):
    images = []
    for y, x, height, width in boxes:
        image = np.zeros(shape, np.float32)
        image[y : y + height, x : x + width] = 1
        images.append(image)
    return np.stack(images)


def drawn(images, n_frames=20, **options):
    traces = np.arange(len(images) * n_frames, dtype=np.float32)
    return Components.build(
        sparse.csc_array(images.reshape(len(images), -1).T),
        images.shape[1:],
        {"raw": traces.reshape(len(images), n_frames)},
        frame_rate=10.0,
        **options,
    )


def test_a_merged_pair_splits_into_the_same_cells_again(found, neighbours, small_2p):
    merged = merge_components(found, neighbours)
    (at,) = new_positions(merged)
    assert len(merged.components) == len(found) - 1
    apart = split_component(merged.components, at, recording=small_2p.recording)
    assert len(apart.components) == len(found)
    assert new_positions(apart)[0] == at
    for old in neighbours:
        new = max(
            new_positions(apart),
            key=lambda i: alike(
                apart.components.traces["denoised"][i], found.traces["denoised"][old]
            ),
        )
        before, after = (
            found.footprint_image(old),
            apart.components.footprint_image(new),
        )
        assert alike(before.ravel(), after.ravel()) > 0.9
        for kind, least in {"raw": 0.97, "dff": 0.97, "spikes": 0.9}.items():
            traces = apart.components.traces[kind][new], found.traces[kind][old]
            assert alike(*traces) > least
            assert traces[0].max() == pytest.approx(traces[1].max(), rel=0.25)


def test_two_halves_of_a_cell_merge_into_it(found):
    position = int(np.argmax(found.scores["energy"]))
    image = found.footprint_image(position)
    left = image.copy()
    left[:, round(np.argwhere(image)[:, 1].mean()) :] = 0
    halves = np.stack([left, image - left])
    top = halves.reshape(2, -1).max(axis=1)
    both = Components.build(
        sparse.csc_array((halves.reshape(2, -1) / top[:, None]).T),
        found.image_shape,
        {k: t[[position]] * top[:, None] for k, t in found.traces.items()},
        background=found.background,
        frame_rate=found.frame_rate,
    )
    whole = merge_components(both, [1, 0]).components
    assert len(whole) == 1
    np.testing.assert_allclose(whole.footprint_image(0), image, atol=1e-3)
    np.testing.assert_allclose(
        whole.traces["raw"][0], found.traces["raw"][position], rtol=1e-3, atol=1e-2
    )


def test_other_components_and_the_history_stay(found, neighbours):
    merged = merge_components(found, neighbours).components
    others = [i for i in range(len(found)) if i not in neighbours]
    ids = [found.roi_ids[i] for i in others]
    kept = [merged.roi_ids.index(name) for name in ids]
    assert kept == sorted(kept)
    np.testing.assert_array_equal(
        merged.traces["raw"][kept], found.traces["raw"][others]
    )
    pd.testing.assert_frame_equal(merged.scores.loc[ids], found.scores.loc[ids])
    assert merged.history[:-1] == found.history
    assert merged.history[-1]["operation"] == "merge_components"
    assert set(merged.history[-1]["params"]["roi_ids"]) == {
        found.roi_ids[i] for i in neighbours
    }


def test_scores_follow_from_footprint_and_trace_or_are_unknown(found, neighbours):
    merged = merge_components(found, neighbours)
    scores = merged.components.scores.iloc[new_positions(merged)[0]]
    assert scores["area_px"] > found.scores["area_px"].iloc[list(neighbours)].max()
    assert scores["snr"] > 3
    assert np.isnan(scores["shape"])
    assert scores["rejected_because"] == ""


def test_masks_merge_into_their_union():
    components = drawn(masks((1, 1, 2, 4), (3, 1, 4, 4)))
    merged = merge_components(components, [0, 1]).components
    np.testing.assert_array_equal(merged.footprint_image(0), masks((1, 1, 6, 4))[0])
    expected = (components.traces["raw"] * [[8], [16]]).sum(axis=0) / 24
    np.testing.assert_allclose(merged.traces["raw"][0], expected, rtol=1e-5)


def test_pieces_split_without_a_recording():
    images = masks((1, 1, 3, 4), (7, 9, 3, 3), (8, 1, 3, 3))
    components = drawn(np.stack([images[0] + images[1], images[2]]))
    apart = split_component(components, 0, by="pieces")
    assert len(apart.components) == 3
    assert new_positions(apart) == [0, 2]
    np.testing.assert_array_equal(apart.components.footprint_image(0), images[0])
    np.testing.assert_array_equal(apart.components.footprint_image(2), images[1])
    assert apart.components.roi_ids[1] == components.roi_ids[1]


def test_the_table_keeps_tags_that_agree(found, neighbours):
    table = roi_table_from_components(found, kind="cnmfe", tags=("cell", "layer"))
    table["cell"] = "soma"
    table["layer"] = [str(i) for i in range(len(table))]
    table["accepted"] = False
    merged = merge_components(found, neighbours)
    after = carry_table(table, merged)
    assert list(after.index) == list(merged.components.roi_ids)
    assert list(after.columns) == list(table.columns)
    new = after.loc[list(merged.parents)].iloc[0]
    assert (new["kind"], new["cell"], new["layer"]) == ("cnmfe", "soma", "")
    assert new["accepted"]
    rest = after.drop(index=list(merged.parents))
    pd.testing.assert_frame_equal(rest, table.loc[rest.index])


def test_a_tag_is_kept_where_the_others_are_untagged(found, neighbours):
    table = roi_table_from_components(found, tags=("cell",))
    table.loc[found.roi_ids[neighbours[1]], "cell"] = "soma"
    merged = merge_components(found, neighbours)
    after = carry_table(table, merged)
    assert after.loc[next(iter(merged.parents)), "cell"] == "soma"


def test_related_finds_what_overlaps_or_touches():
    components = drawn(masks((1, 1, 4, 4), (3, 3, 4, 4), (1, 5, 2, 2), (9, 9, 2, 2)))
    near = related(components, 0)
    assert set(near["position"]) == {1, 2}
    overlap = near.set_index("position")["overlap"]
    assert overlap[1] == pytest.approx(4 / 16)
    assert overlap[2] == 0


@pytest.mark.parametrize(
    ("positions", "words"),
    [([0], "at least two"), ([1, 1], "at least two"), ([0, 7], "no component 7")],
)
def test_merging_needs_two_that_exist(positions, words):
    with pytest.raises(ParameterError, match=words):
        merge_components(drawn(masks((1, 1, 4, 4), (3, 3, 4, 4))), positions)


def test_what_can_not_be_split_is_explained(make_recording):
    components = drawn(masks((1, 1, 4, 4), (8, 8, 1, 3)))
    rng = np.random.default_rng(0)
    recording = make_recording(rng.normal(size=(20, 12, 16)))
    with pytest.raises(ParameterError, match="one connected piece"):
        split_component(components, 0, by="pieces")
    with pytest.raises(ParameterError, match="needs the recording"):
        split_component(components, 0)
    with pytest.raises(ParameterError, match="3 pixels can not be split"):
        split_component(components, 1, recording=recording)
    with pytest.raises(ParameterError, match="open that recording"):
        split_component(components, 0, recording=recording[:10])
