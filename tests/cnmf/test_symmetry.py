"""What must not matter: which axis is which, where a patch ends, when it starts."""

import numpy as np
import pytest

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.simulation.simulate import simulate

PARAMS = CnmfParams(cell_diameter=9.2, decay_time_s=0.55)
SIZE = 72


@pytest.fixture(scope="module")
def frames():
    movie = simulate("2p-small", seed=34, shape=(400, SIZE, SIZE), n_cells=16)
    return movie.recording.to_numpy()


def extract(frames, **changes):
    recording = as_recording(frames, frame_rate=15.0)
    found = extract_components(recording, PARAMS.model_copy(update=changes))
    return found.select(found.accepted)


@pytest.fixture(scope="module")
def found(frames):
    return extract(frames)


def match(one, images, traces, trim=slice(None)):
    """Share of components with the same footprint and trace in another result."""
    mine = one.footprints.toarray()
    other = images.reshape(SIZE**2, -1)
    norms = np.outer(np.linalg.norm(mine, axis=0), np.linalg.norm(other, axis=0))
    cosine = (mine.T @ other) / norms
    n = len(one)
    both = [one.traces["denoised"][:, trim], traces[:, trim]]
    r = np.corrcoef(np.concatenate(both))[:n, n:]
    return ((cosine > 0.85) & (r > 0.9)).any(axis=1).mean()


def images_of(components):
    return components.footprints.toarray().reshape(SIZE, SIZE, -1)


def test_rows_and_columns_may_be_exchanged(frames, found):
    other = extract(frames.transpose(0, 2, 1))
    images = images_of(other).transpose(1, 0, 2)
    assert match(found, images, other.traces["denoised"]) > 0.9


def test_the_movie_may_start_at_another_frame(frames, found):
    other = extract(np.roll(frames, -100, axis=0))
    traces = np.roll(other.traces["denoised"], 100, axis=1)
    assert match(found, images_of(other), traces, slice(110, 390)) > 0.85


def test_the_type_of_the_numbers_does_not_matter(frames, found):
    other = extract(frames.astype(np.float64))
    np.testing.assert_allclose(
        other.traces["denoised"], found.traces["denoised"], rtol=1e-4, atol=1e-2
    )
    assert (other.footprints != found.footprints).nnz == 0


@pytest.mark.parametrize(("patch_size", "overlap"), [(36, 0), (50, 40)])
def test_patches_find_what_the_whole_field_finds(frames, found, patch_size, overlap):
    other = extract(frames, patch_size=patch_size, patch_overlap=overlap)
    assert match(found, images_of(other), other.traces["denoised"]) > 0.8
    assert abs(len(other) - len(found)) <= 3


def test_a_second_run_gives_the_same(frames, found):
    again = extract(frames)
    assert (again.footprints != found.footprints).nnz == 0
    for kind, traces in found.traces.items():
        np.testing.assert_array_equal(again.traces[kind], traces)
