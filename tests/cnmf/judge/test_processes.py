import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mesmerize.cnmf import Cnmf3dParams, extract_components
from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.judge.processes import judge_processes, take_process_view
from napari_mesmerize.cnmf.settings import Settings
from napari_mesmerize.data.recording import as_recording

SHAPE = (5, 56, 64)
DECAY = 8.0  # frames


def oblique_tree(rng, start, angle, length, rise):
    """A process that branches once and climbs through the planes."""
    volume = np.zeros(SHAPE, np.float32)
    branches = [(np.array(start, float), angle, length, True)]
    while branches:
        place, angle, length, divides = branches.pop()
        for _ in range(int(2 * length)):
            place = place + 0.5 * np.array([rise, np.sin(angle), np.cos(angle)])
            angle += rng.normal(0, 0.04)
            at = tuple(np.rint(place).astype(int))
            if all(0 <= i < n for i, n in zip(at, SHAPE, strict=True)):
                volume[at] = 1
        turns = (-0.6, 0.6) if divides else ()
        branches += [(place, angle + turn, 0.7 * length, False) for turn in turns]
    volume = gaussian_filter(volume, (0.5, 1, 1))
    volume = np.minimum(volume / np.percentile(volume[volume > 0.01], 90), 1)
    return np.where(volume > 0.15, volume, 0)


@pytest.fixture(scope="module")
def movie():
    rng = np.random.default_rng(1)
    starts = [((0, 8, 8), 0.7, 18, 0.12), ((4, 48, 10), -0.6, 18, -0.12)]
    images = np.array([oblique_tree(rng, *start) for start in starts])
    kernel = np.exp(-np.arange(60) / DECAY)
    events = (rng.random((2, 400)) < 0.015) * rng.gamma(3, 0.4, (2, 400))
    traces = np.array([np.convolve(e, kernel)[:400] for e in events])
    frames = 100 + 10 * np.tensordot(traces.T, images, 1)
    frames += rng.normal(0, 4, frames.shape)
    return as_recording(frames.astype(np.float32), frame_rate=15.0), images, traces


def overlaps(footprints, images):
    masks = footprints > 0.2 * footprints.max(axis=0)
    found = []
    for image in images:
        true = (image > 0.2).ravel()[:, None]
        both, either = (true & masks).sum(axis=0), (true | masks).sum(axis=0)
        found.append((both / either).max(initial=0))
    return np.array(found)


@pytest.mark.parametrize("method", ["graph_nmf", "sparse_nmf"])
def test_processes_are_followed_through_the_planes(movie, method):
    recording, images, traces = movie
    params = Cnmf3dParams(
        cell_diameter=8, decay_time_s=DECAY / 15, rise_time_s=0, method_init=method
    )
    found = extract_components(recording, params)
    good = found.select(found.accepted)
    assert len(good) <= 3
    assert overlaps(good.footprints.toarray(), images).min() > 0.65
    r = np.corrcoef(np.concatenate([traces, good.traces["denoised"]]))[:2, 2:]
    assert r.max(axis=1).min() > 0.9
    assert (good.scores["planes"] >= 3).all()


def scored(amplitude):
    """Scores of a rod whose brightness is ``amplitude``, in noise of 1."""
    rng = np.random.default_rng(3)
    shape = (24, 40)
    image = np.zeros(shape, np.float32)
    image[11:13, 4:36] = 1
    trace = np.convolve(rng.random(500) < 0.02, np.exp(-np.arange(60) / DECAY))[:500]
    movie = rng.normal(0, 1, (image.size, 500)) + amplitude * np.outer(image, trace)
    settings = Settings(15.0, DECAY / 15, 0.0, radius=4.0, any_shape=True)
    pixels = np.flatnonzero(image)
    cell = Cell(
        pixels, np.ones(len(pixels), np.float32), trace=trace.astype(np.float32)
    )
    residual = (movie - np.outer(image, trace)).astype(np.float32)
    cell.raw = cell.trace + residual[pixels].mean(axis=0)
    valid = np.ones(image.size, bool)
    take_process_view(cell, residual, shape, valid, settings)
    judge_processes([cell], shape[1], settings)
    return cell.scores


def test_real_processes_look_like_their_footprint_and_noise_does_not():
    real, noise = scored(4.0), scored(0.0)
    assert real["shape"] > 0.9
    assert noise["shape"] < 0.4
    assert np.isnan(real["relative_area"])
    weak = scored(1.0)
    assert noise["shape"] < weak["shape"] < real["shape"]
    assert weak["shape_corrected"] > weak["shape"]
