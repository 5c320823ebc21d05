import numpy as np
import pytest

from napari_mesmerize.cnmf import Cnmf3dParams, CnmfParams, extract_components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.simulation.simulate import simulate

PARAMS = CnmfParams(cell_diameter=9.2, decay_time_s=0.55, patch_size=48)


@pytest.fixture(scope="module")
def movie():
    return simulate("2p-small", seed=33, shape=(300, 96, 96), n_cells=24)


@pytest.fixture(scope="module")
def masks(movie):
    return movie.truth.footprints.toarray().T.reshape(-1, 96, 96) > 0.3


def cosines(components, masks):
    flat = masks.reshape(len(masks), -1).T.astype(float)
    found = components.footprints.toarray()
    norms = np.linalg.norm(flat, axis=0) * np.linalg.norm(found, axis=0)
    return (flat * found).sum(axis=0) / norms


def test_each_mask_is_one_component_in_its_order(movie, masks):
    found = extract_components(movie.recording, PARAMS, seeds=masks)
    assert len(found) == len(masks)
    assert np.median(cosines(found, masks)) > 0.8
    back = extract_components(movie.recording, PARAMS, seeds=masks[::-1])
    np.testing.assert_allclose(
        np.corrcoef(back.traces["raw"][::-1], found.traces["raw"])[
            np.arange(len(masks)), len(masks) + np.arange(len(masks))
        ],
        1,
        atol=0.05,
    )


def test_masks_across_borders_give_what_the_whole_field_gives(movie, masks):
    whole = PARAMS.model_copy(update={"patch_size": 0})
    one = extract_components(movie.recording, whole, seeds=masks)
    cut = extract_components(movie.recording, PARAMS, seeds=masks)
    n = len(masks)
    r = np.corrcoef(one.traces["raw"], cut.traces["raw"])[:n, n:].diagonal()
    active = one.traces["denoised"].any(axis=1) & cut.traces["denoised"].any(axis=1)
    assert active.sum() > 0.8 * n
    assert np.median(r[active]) > 0.97
    near = np.abs(np.asarray(movie.truth.centroids) - 48).min(axis=1) < 6
    assert near.sum() >= 3
    assert r[active & near].min() > 0.8


def test_a_mask_larger_than_a_patch_stays_whole():
    rng = np.random.default_rng(1)
    mask = np.zeros((96, 96), bool)
    mask[46:50, 6:90] = True
    trace = np.convolve(rng.random(300) < 0.03, np.exp(-np.arange(40) / 8))[:300]
    frames = 100 + rng.normal(0, 4, (300, 96, 96)) + 20 * trace[:, None, None] * mask
    recording = as_recording(frames.astype(np.float32), frame_rate=15.0)
    found = extract_components(recording, PARAMS, seeds=mask)
    assert len(found) == 1
    image = found.footprint_image(0) > 0.3
    assert (image & mask).sum() > 0.95 * mask.sum()
    assert np.corrcoef(found.traces["denoised"][0], trace)[0, 1] > 0.95


def test_masks_without_activity_are_kept_and_rejected():
    rng = np.random.default_rng(2)
    frames = rng.normal(100, 4, (200, 64, 64)).astype(np.float32)
    labels = np.zeros((64, 64), int)
    labels[10:18, 10:18], labels[40:48, 28:36] = 3, 7
    params = PARAMS.model_copy(update={"patch_size": 32})
    found = extract_components(
        as_recording(frames, frame_rate=15.0), params, seeds=labels
    )
    assert len(found) == 2
    assert not found.accepted.any()
    assert found.footprints[:, [1]].indices.min() >= 39 * 64
    assert found.traces["raw"].std() > 0


def test_masks_over_planes_are_one_component():
    movie = simulate("3d-small", seed=31, shape=(200, 4, 48, 48), n_cells=5)
    masks = movie.truth.footprints.toarray().T.reshape(-1, 4, 48, 48) > 0.2
    params = Cnmf3dParams(cell_diameter=9.2, decay_time_s=0.55)
    found = extract_components(movie.recording, params, seeds=masks)
    assert len(found) == len(masks)
    assert np.median(cosines(found, masks)) > 0.7
    with pytest.raises(ParameterError, match=r"\(4, 48, 48\)"):
        extract_components(movie.recording, params, seeds=masks[:, 0])
