import numpy as np
import pytest

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.cnmf.preview import preview_components
from napari_mesmerize.errors import ParameterError

PARAMS = CnmfParams(cell_diameter=9.0)
SQUARE = [(8, 8), (8, 36), (36, 36), (36, 8)]


def centroids(components):
    grid = np.indices(components.image_shape).reshape(2, -1)
    weights = components.footprints
    return (grid @ weights / weights.sum(axis=0)).T


def test_a_region_shows_the_cells_of_the_whole_run(small_2p):
    whole = extract_components(small_2p.recording, PARAMS)
    part = preview_components(small_2p.recording, PARAMS, region=SQUARE)
    assert part.image_shape == (64, 64)
    found = centroids(part)
    assert len(found)
    assert ((found >= 7.5) & (found <= 36.5)).all()
    wanted = centroids(whole.select(whole.accepted & (whole.scores["snr"] > 8)))
    wanted = wanted[((wanted > 10) & (wanted < 34)).all(axis=1)]
    assert len(wanted)
    for centre in wanted:
        assert np.hypot(*(found - centre).T).min() < 2


def test_frames_are_cut_out(small_2p):
    part = preview_components(
        small_2p.recording, PARAMS, region=SQUARE, frames=slice(50, 200)
    )
    assert part.n_frames == 150
    assert [s["operation"] for s in part.history][-2:] == [
        "extract_components",
        "preview_components",
    ]
    assert part.history[-1]["params"]["frames"] == [50, 200]


def test_a_mask_is_a_region_too(small_2p):
    mask = np.zeros((64, 64), bool)
    mask[8:37, 8:37] = True
    recording = small_2p.recording[:120]
    by_mask = preview_components(recording, PARAMS, region=mask)
    by_corners = preview_components(recording, PARAMS, region=SQUARE)
    np.testing.assert_array_equal(by_mask.traces["raw"], by_corners.traces["raw"])


def test_a_small_region_at_the_corner_is_enlarged(small_2p):
    part = preview_components(
        small_2p.recording, PARAMS, region=[(-3, -3), (-3, 5), (5, 5), (5, -3)]
    )
    assert len(part) <= 3


def test_no_region_is_the_whole_field(small_2p):
    recording = small_2p.recording[:120]
    part = preview_components(recording, PARAMS)
    whole = extract_components(recording, PARAMS)
    np.testing.assert_array_equal(part.footprints.toarray(), whole.footprints.toarray())


def test_noise_gives_nothing_and_no_error(make_recording):
    noise = np.random.default_rng(0).normal(100, 5, (120, 40, 40))
    part = preview_components(make_recording(noise), PARAMS, region=SQUARE)
    assert not part.accepted.any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"region": [(70, 70), (70, 80), (80, 80)]}, "outside the image"),
        ({"region": [(1, 1), (5, 5)]}, "three corners"),
        ({"frames": slice(10, 11)}, "longer window"),
    ],
)
def test_what_does_not_fit_is_explained(small_2p, options, words):
    with pytest.raises(ParameterError, match=words):
        preview_components(small_2p.recording, PARAMS, **options)
