import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.search.downsampling import enlarged, reduced
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.simulation.scores import score_components
from napari_mesmerize.simulation.simulate import simulate


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    n_frames=st.integers(1, 9),
    in_space=st.integers(1, 4),
    in_time=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_blocks_are_summed_and_keep_their_noise(
    height, width, n_frames, in_space, in_time, seed
):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(height * width, n_frames)).astype(np.float32)
    valid = rng.random(height * width) < 0.8
    shape = (height, width)
    out, small, inside = reduced(rows, shape, valid, in_space, in_time)
    for i in range(small[0]):
        for j in range(small[1]):
            block = np.zeros(shape, bool)
            part = slice(i * in_space, (i + 1) * in_space)
            block[part, j * in_space : (j + 1) * in_space] = True
            block = block.ravel() & valid
            assert inside[i * small[1] + j] == (block.sum() > in_space**2 / 2)
            for t in range(out.shape[1]):
                values = rows[block, t * in_time : (t + 1) * in_time]
                expected = values.sum() / np.sqrt(max(values.size, 1))
                assert out[i * small[1] + j, t] == pytest.approx(expected, abs=1e-4)


def test_components_are_made_large_again():
    shape, valid = (5, 6), np.ones(30, bool)
    valid[0] = False
    cell = Cell(np.array([0]), np.array([2.0], np.float32), peak=7.0)
    (large,) = enlarged([cell], shape, valid, 2)
    np.testing.assert_array_equal(large.pixels, [1, 6, 7])
    np.testing.assert_array_equal(large.weights, [2, 2, 2])
    assert large.peak == 7.0


@pytest.mark.parametrize(("in_space", "in_time"), [(2, 1), (1, 3), (2, 2)])
def test_a_smaller_movie_gives_the_same_cells(in_space, in_time):
    recording, truth = simulate(
        "2p-small", seed=5, shape=(500, 96, 96), radius=6.5, n_cells=16
    )
    params = CnmfParams(
        cell_diameter=13,
        decay_time_s=0.55,
        spatial_downsampling=in_space,
        temporal_downsampling=in_time,
    )
    found = extract_components(recording, params)
    scores = score_components(truth, found.select(found.accepted))
    assert scores["f1"] > 0.85
    assert scores["trace_corr"] > 0.97


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spatial_downsampling": 4}, "spatial_downsampling=4 .* use at most 3"),
        ({"temporal_downsampling": 40}, "temporal_downsampling=40 .* at most 18"),
        ({"largest_width": 5}, "largest_width=5 px is less than the diameter"),
    ],
)
def test_too_much_is_named(change, words):
    recording, _ = simulate("2p-small", seed=5, shape=(100, 48, 48), n_cells=2)
    with pytest.raises(ParameterError, match=words):
        extract_components(recording, CnmfParams(cell_diameter=9.2, **change))
