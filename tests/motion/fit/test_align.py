"""The template and the displacements of the frames that make it."""

import numpy as np
import pytest
import templates

from napari_mesmerize.motion.fit.align import Guide, _to_come, align_subset, too_small
from napari_mesmerize.motion.source import Schedule, Source
from napari_mesmerize.motion.template.subset import make_subset


@pytest.mark.parametrize(
    ("n_frames", "n_at_edge", "small"),
    [
        (100, 0, False),
        (100, 1, False),
        (100, 2, True),
        (1000, 5, False),
        (1000, 6, True),
    ],
)
def test_two_frames_at_the_edge_and_half_a_percent_are_too_many(
    n_frames, n_at_edge, small
):
    assert too_small(np.arange(n_frames) < n_at_edge) == small


@pytest.mark.parametrize("factor", [0.2, 0.5, 0.9])
def test_what_is_still_to_come_is_a_geometric_series(factor):
    changes = factor ** np.arange(1, 400)
    assert _to_come(changes[1], changes[0]) == pytest.approx(changes[2:].sum())
    assert _to_come(0.3, np.inf) == 0
    assert _to_come(0.3, 0.0) == 0
    assert np.isfinite(_to_come(0.5, 0.1))  # changes that grow


def moving(n_frames=60, noise=0.3, largest=4.0, seed=0):
    """Frames of a scene that moved as a whole, and how far."""
    rng = np.random.default_rng(seed)
    scene = templates.smooth_image((1, 75, 90), seed)
    moves = rng.uniform(-largest, largest, (n_frames, 2))
    frames = [templates.moved_image(scene, *move)[0, 12:-12, 12:-12] for move in moves]
    frames = np.stack(frames) + noise * rng.normal(size=(n_frames, 51, 66))
    return (200 + 40 * frames).astype(np.float32), moves, scene


def aligned(make_recording, frames, guide=None, max_shift=6):
    source = Source(make_recording(frames))
    settings = templates.settings_of(source.padded_shape, max_shift=max_shift)
    subset = make_subset(source, settings, Schedule(16, 16, 2, 2**30))
    return align_subset(subset, guide or Guide())


def test_frames_that_make_the_template_are_aligned(make_recording):
    frames, true, _ = moving()
    _, found, template = aligned(make_recording, frames)
    np.testing.assert_allclose(np.median(found, axis=0), 0, atol=0.02)
    gap = found[:, 1:] - true
    gap -= np.median(gap, axis=0)
    assert np.sqrt((gap**2).mean()) < 0.05
    assert template.clarity > 1


def test_a_range_that_is_too_small_grows(make_recording):
    frames, true, _ = moving(largest=7.0)
    subset, found, _ = aligned(make_recording, frames, max_shift=3)
    assert subset.settings.max_shift[1] > 3
    gap = found[:, 1:] - true
    gap -= np.median(gap, axis=0)
    assert np.sqrt((gap**2).mean()) < 0.1


def test_an_image_to_align_to_says_where_zero_is(make_recording):
    frames, true, scene = moving()
    image = (200 + 40 * scene[:, 12:-12, 12:-12]).astype(np.float32)
    _, found, _ = aligned(make_recording, frames, Guide(template=image))
    np.testing.assert_allclose(found[:, 1:], true, atol=0.15)


def test_only_a_region_is_compared(make_recording):
    """The left side moves, the right does not."""
    frames, true, _ = moving()
    still = moving(1, 0.0, 0.0, seed=5)[0][0]
    frames[:, :, 33:] = still[:, 33:]
    region = np.zeros((1, 51, 66), bool)
    region[:, :, :28] = True
    _, found, template = aligned(make_recording, frames, Guide(region=region))
    gap = found[:, 1:] - true
    gap -= np.median(gap, axis=0)
    assert np.sqrt(np.median(gap**2)) < 0.1
    assert template.partial
    outside = ~np.pad(region, [(p, p) for p in template.settings.pads])
    assert not template.weights[outside].any()
