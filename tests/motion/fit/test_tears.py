"""Frames whose rows jump while they are scanned are followed; others are left alone."""

import numpy as np
import pytest
from scipy import ndimage

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.motion import PiecewiseParams, correct_motion
from napari_mesmerize.motion.fit.tears import (
    likelihood,
    more_likely,
    strip_displacements,
    unlike_template,
)

TORN = list(range(9, 150, 23))
JUMP = np.array([-3.5, 4.5])


def sums_of(frames, template):
    """Return sums (n, strips, 6) of frames and a template (strips, pixels)."""
    other = np.broadcast_to(template, frames.shape)
    parts = [np.ones_like(frames), frames, other, frames**2, other**2, frames * other]
    return np.stack([part.sum(axis=-1) for part in parts], axis=-1)


@pytest.fixture
def strips():
    rng = np.random.default_rng(0)
    template = rng.normal(size=(6, 400))
    return template, template + 1.5 * rng.normal(size=(50, 6, 400))


def test_strips_of_noisy_frames_are_told_from_strips_that_moved(strips):
    template, frames = strips
    frames[7, 2:4] = np.roll(frames[7, 2:4], 11, axis=-1)
    found = unlike_template(sums_of(frames, template))
    assert np.argwhere(found).tolist() == [[7, 2], [7, 3]]


def test_brightness_does_not_make_strips_suspicious(strips):
    template, frames = strips
    assert not unlike_template(sums_of(0.7 * frames + 3, template)).any()


def test_strips_without_pixels_or_structure_are_not_suspicious(strips):
    template, frames = strips
    frames[:, 1] = 2.0
    sums = sums_of(frames, template)
    sums[:, 0] = 0
    assert not unlike_template(sums)[:, :2].any()
    assert np.isfinite(likelihood(sums)).all()


def test_only_what_is_clearly_better_replaces_what_was_found(strips):
    template, frames = strips
    torn = np.roll(frames, 11, axis=-1)
    before, after = sums_of(torn, template), sums_of(frames, template)
    assert more_likely(before, after).all()
    assert not more_likely(after, before).any()
    other = sums_of(np.roll(frames, 23, axis=-1), template)
    assert not more_likely(before, other).any()


def test_each_strip_is_found_by_itself():
    image = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(96, 96)), 2)
    image /= image.std()
    frame = image.copy()
    frame[48:] = np.roll(image, (-4, 6), axis=(0, 1))[48:]

    class Compared:
        """Compares strips of 16 rows with the image, moved."""

        @staticmethod
        def strip_sums(frames, moves):
            other = np.roll(image, np.rint(moves[0, 1:]).astype(int), axis=(0, 1))
            return sums_of(frames.reshape(1, 6, -1), other.reshape(6, -1))

    found = strip_displacements(Compared, frame[None], np.zeros((1, 3)), 6.0)
    np.testing.assert_array_equal(found[0, :3], 0)
    np.testing.assert_array_equal(found[0, 3:], np.tile([0, -4, 6], (3, 1)))


def torn_movie(simulation, rows):
    """Let the lower rows of some frames jump."""
    frames = simulation.recording[:150].to_numpy().astype(np.float32)
    jumped = ndimage.shift(frames[TORN], (0, *JUMP), order=1, mode="nearest")
    frames[TORN, rows:] = jumped[:, rows:]
    return frames


def test_rows_that_jump_are_followed(rigid_2p):
    frames = torn_movie(rigid_2p, 48)
    result = correct_motion(as_recording(frames), PiecewiseParams())
    true = -rigid_2p.truth.shifts[:150]
    wrong = result.field - true[:, None, None]
    wrong -= np.median(wrong, axis=0)
    wrong[TORN, result.patch_centers[0].searchsorted(48) :] += JUMP
    y = result.patch_centers[0]
    calm = np.abs(y - 48) > 20  # px: no smooth field follows the jump itself
    error = np.sqrt((wrong[TORN][:, calm] ** 2).sum(axis=-1).mean())
    assert error < 0.7
    others = np.setdiff1d(np.arange(150), TORN)
    assert np.sqrt((wrong[others, 1:-1, 1:-1] ** 2).sum(axis=-1).mean()) < 0.08


def test_ordinary_frames_are_not_looked_at_again(piecewise_2p, monkeypatch):
    from napari_mesmerize.motion.fit import fields

    def refuse(*_):
        raise AssertionError("an ordinary frame was taken for a torn one")

    monkeypatch.setattr(fields, "strip_displacements", refuse)
    correct_motion(piecewise_2p.recording, PiecewiseParams())
