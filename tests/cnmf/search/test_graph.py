import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.cnmf.cells import Cell, footprint_matrix
from napari_mesmerize.cnmf.search import graph
from napari_mesmerize.cnmf.search.graph import search_graph
from napari_mesmerize.cnmf.settings import Settings
from napari_mesmerize.data.recording import as_recording

SHAPE = (72, 80)
DECAY = 8.0  # frames


def drawn_tree(rng, start, angle, length):
    """A process that branches twice, about three pixels wide."""
    image = np.zeros(SHAPE, np.float32)
    branches = [(np.array(start, float), angle, length, 2)]
    while branches:
        place, angle, length, order = branches.pop()
        for _ in range(int(2 * length)):
            place = place + 0.5 * np.array([np.sin(angle), np.cos(angle)])
            angle += rng.normal(0, 0.05)
            y, x = np.rint(place).astype(int)
            if 0 <= y < SHAPE[0] and 0 <= x < SHAPE[1]:
                image[y, x] = 1
        turns = (-0.7, 0.7) if order else ()
        branches += [(place, angle + turn, 0.7 * length, order - 1) for turn in turns]
    image = gaussian_filter(image, 1.0)
    image = np.minimum(image / np.percentile(image[image > 0.01], 90), 1)
    return np.where(image > 0.15, image, 0)


def dendrites(seed, amplitude=10.0, n_frames=600):
    rng = np.random.default_rng(seed)
    starts = [((8, 10), 0.7), ((64, 12), -0.6), ((36, 76), 3.1), ((6, 66), 2.2)]
    images = np.array([drawn_tree(rng, s, a, 18) for s, a in starts])
    kernel = np.exp(-np.arange(60) / DECAY)
    events = (rng.random((4, n_frames)) < 0.015) * rng.gamma(3, 0.4, (4, n_frames))
    traces = np.array([np.convolve(e, kernel)[:n_frames] for e in events])
    movie = 100 + amplitude * np.tensordot(traces.T, images, 1)
    movie += rng.normal(0, 4, movie.shape)
    return as_recording(movie.astype(np.float32), frame_rate=15.0), images, traces


def best_overlaps(footprints, images):
    """Intersection over union of each true image with the best component."""
    masks = footprints > 0.2 * footprints.max(axis=0)
    found = []
    for image in images:
        true = (image > 0.2).ravel()[:, None]
        union = (true | masks).sum(axis=0)
        found.append(((true & masks).sum(axis=0) / union).max(initial=0))
    return np.array(found)


@pytest.fixture(scope="module")
def movie():
    return dendrites(3)


def params(method):
    changes = {"components_per_patch": 20} if method == "greedy_roi" else {}
    return CnmfParams(
        cell_diameter=8,
        decay_time_s=DECAY / 15,
        rise_time_s=0,
        method_init=method,
        **changes,
    )


@pytest.mark.parametrize("method", ["graph_nmf", "sparse_nmf"])
def test_branching_processes_are_found_whole(movie, method):
    recording, images, traces = movie
    found = extract_components(recording, params(method))
    good = found.select(found.accepted)
    assert len(good) <= 6
    assert best_overlaps(good.footprints.toarray(), images).min() > 0.65
    r = np.corrcoef(np.concatenate([traces, good.traces["denoised"]]))[:4, 4:]
    assert r.max(axis=1).min() > 0.85


@pytest.mark.parametrize("method", ["events", "greedy_roi"])
def test_round_searches_find_only_pieces_of_them(movie, method):
    recording, images, _ = movie
    found = extract_components(recording, params(method))
    assert best_overlaps(found.footprints.toarray(), images).max() < 0.45


@pytest.mark.parametrize("method", ["graph_nmf", "sparse_nmf"])
def test_noise_has_no_process(method):
    frames = np.random.default_rng(4).normal(500, 20, (500, 72, 72))
    recording = as_recording(frames.astype(np.float32), frame_rate=15.0)
    assert not extract_components(recording, params(method)).accepted.any()


def separate_pieces():
    """Two rods that fire together, far apart, in noise units."""
    rng = np.random.default_rng(6)
    image = np.zeros((40, 60), np.float32)
    image[18:21, 4:20] = image[18:21, 38:56] = 1
    kernel = np.exp(-np.arange(60) / DECAY)
    trace = np.convolve((rng.random(500) < 0.02) * 6.0, kernel)[:500]
    rows = rng.normal(0, 1, (2400, 500)) + image.ravel()[:, None] * trace
    return rows.astype(np.float32), image


@pytest.mark.parametrize(("method", "n_found"), [("graph_nmf", 2), ("sparse_nmf", 1)])
def test_sparse_components_may_be_of_several_pieces(method, n_found):
    rows, image = separate_pieces()
    settings = Settings(15.0, DECAY / 15, 0.0, radius=4.0, any_shape=True)
    valid = np.ones(len(rows), bool)
    before = rows.copy()
    found = search_graph(rows, image.shape, valid, settings, method, 6.0, 50)
    np.testing.assert_array_equal(rows, before)
    assert len(found) == n_found
    footprints = footprint_matrix(found, image.size).toarray()
    together = footprints.sum(axis=1)[:, None]
    assert best_overlaps(together, image[None]).min() > 0.8


def test_largest_width_bounds_what_is_found():
    rows, image = separate_pieces()
    settings = Settings(15.0, 0.5, 0.0, 4.0, largest_width=12.0, any_shape=True)
    valid = np.ones(len(rows), bool)
    found = search_graph(rows, image.shape, valid, settings, "sparse_nmf", 6.0, 1)
    columns = found[0].pixels % image.shape[1]
    assert np.ptp(columns) <= 12 + 8  # three rounds of one pixel each side follow


def test_nothing_is_found_where_nothing_is_valid():
    rows, image = separate_pieces()
    settings = Settings(15.0, 0.5, 0.0, radius=4.0, any_shape=True)
    valid = np.zeros(len(rows), bool)
    assert search_graph(rows, image.shape, valid, settings, "graph_nmf", 6, 9) == []


def in_noise_units(seed, shape=(9, 11), n_frames=200):
    rng = np.random.default_rng(seed)
    return rng.normal(3, 2, (*shape, n_frames)).astype(np.float32)


def test_the_movie_is_blurred_in_units_of_its_noise():
    movie = in_noise_units(0)
    z, unit = graph._smooth(movie)
    expected = gaussian_filter(movie.astype(float), (0.8, 0.8, 0))
    low, middle = np.percentile(expected, [16, 50], axis=2)
    np.testing.assert_allclose(unit, middle - low, rtol=1e-4)
    expected = (expected - middle[:, :, None]) / (middle - low)[:, :, None]
    np.testing.assert_allclose(z, expected, atol=1e-4)


@pytest.mark.parametrize("pixels", [[0, 1], [48, 49, 60], [98]])
def test_the_blurred_movie_follows_what_is_taken_out(pixels):
    """The blur is linear: it is that of the movie without the component."""
    movie = in_noise_units(1)
    z, unit = graph._smooth(movie)
    trace = np.random.default_rng(2).random(200).astype(np.float32)
    image = np.zeros((9, 11), np.float32)
    image.ravel()[pixels] = np.arange(1, 1 + len(pixels))
    cell = Cell(np.array(pixels), image.ravel()[pixels], trace=trace)
    expected = z - (gaussian_filter(image, 0.8) / unit)[:, :, None] * trace
    y0, y1, x0, x1 = graph._renew_smooth(z, unit, cell, (9, 11))
    # cut at four px about the component, which is five standard deviations
    np.testing.assert_allclose(z, expected, atol=2e-2)
    changed = np.zeros((9, 11), bool)
    changed[y0:y1, x0:x1] = True
    assert changed.ravel()[pixels].all()


def test_what_may_be_noise_is_no_activity():
    trace = np.random.default_rng(0).normal(5, 1, 2000).astype(np.float32)
    trace[100:110] = 20
    active = graph._active(trace)
    np.testing.assert_allclose(active[100:110], 15, atol=0.2)
    assert (active[:100] > 0).mean() < 0.04  # two standard deviations: 2.3 %
    assert (active >= 0).all()


def test_together_components_and_residual_stay_the_movie():
    rows, image = separate_pieces()
    movie = rows.copy()
    cells = []
    for half in (np.s_[:, :30], np.s_[:, 30:]):
        part = np.zeros_like(image)
        part[half] = image[half]
        pixels = np.flatnonzero(part)
        trace = np.full(500, 0.5, np.float32)
        cells.append(Cell(pixels, part.ravel()[pixels], trace=trace))
        rows[pixels] -= trace
    for kind in ("graph_nmf", "sparse_nmf"):
        graph._fit_together(cells, rows, image.shape, kind)
        footprints = footprint_matrix(cells, image.size).toarray()
        traces = np.array([cell.trace for cell in cells])
        np.testing.assert_allclose(rows + footprints @ traces, movie, atol=2e-3)
        assert (footprints >= 0).all()
        assert (traces >= 0).all()


def test_touching_pieces_that_fire_together_are_joined():
    shape, trace = (12, 20), np.zeros(100, np.float32)
    trace[20:40] = 5
    left, right = (np.arange(100 + k, 106 + k) for k in (2, 9))
    other = np.arange(4, 9)
    apart = Cell(other, np.ones(5, np.float32), trace=np.roll(trace, 50))
    cells = [
        Cell(left, np.ones(6, np.float32), trace=trace),
        Cell(right, np.full(6, 2, np.float32), trace=0.5 * trace),
        apart,
    ]
    rows = np.zeros((240, 100), np.float32)
    movie = rows + footprint_matrix(cells, 240) @ np.array([c.trace for c in cells])
    joined = graph._join(cells, rows, shape)
    assert len(joined) == 2
    one = max(joined, key=lambda cell: len(cell.pixels))
    np.testing.assert_array_equal(one.pixels, [*left, *right])
    np.testing.assert_allclose(one.weights, 1)  # in units of the strongest trace
    after = rows + footprint_matrix(joined, 240) @ np.array([c.trace for c in joined])
    np.testing.assert_allclose(after, movie, atol=1e-5)
