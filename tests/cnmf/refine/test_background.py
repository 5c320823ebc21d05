import numpy as np
import pytest

from napari_mesmerize.cnmf.refine.background import (
    LowRank,
    _outside,
    leading_modes,
    no_background,
    renew_background,
)

SHAPE = (40, 40)


@pytest.fixture(scope="module")
def blocks():
    """Six modes above noise, 100 blocks, 500 frames; the modes."""
    rng = np.random.default_rng(3)
    modes, _ = np.linalg.qr(rng.standard_normal((500, 6)))
    strengths = np.linspace(300, 80, 6)
    loadings, _ = np.linalg.qr(rng.standard_normal((100, 6)))
    movie = (loadings * strengths) @ modes.T + rng.standard_normal((100, 500))
    return movie.astype(np.float32), modes.T


def span(a, b):
    """Smallest cosine between two spaces of modes; 1 where they are the same."""
    return np.linalg.svd(a @ b.T, compute_uv=False).min()


def test_modes_above_noise_are_found(blocks):
    movie, true = blocks
    modes = leading_modes(movie, 30, 1.3, 0)
    assert len(modes) == 6
    assert span(modes, true) > 0.95
    np.testing.assert_allclose(modes @ modes.T, np.eye(6), atol=1e-4)


@pytest.mark.parametrize("n_known", [3, 6, 9])
def test_modes_known_before_change_only_the_way(blocks, n_known):
    movie, true = blocks
    rng = np.random.default_rng(4)
    known = np.concatenate([true[:n_known], rng.standard_normal((3, 500))])[:n_known]
    known, _ = np.linalg.qr(known.T + 0.01 * rng.standard_normal((500, n_known)))
    modes = leading_modes(movie, 30, 1.3, 0, known.T.astype(np.float32))
    assert len(modes) == 6
    assert span(modes, leading_modes(movie, 30, 1.3, 0)) > 0.999


def test_what_lies_outside_is_kept_unless_it_is_negligible(blocks):
    rng = np.random.default_rng(5)
    modes = np.linalg.qr(rng.standard_normal((500, 4)))[0].T.astype(np.float32)
    loadings = rng.standard_normal((1000, 4)).astype(np.float32)
    background = LowRank(loadings, modes)
    rest = _outside(background, modes[:2])
    assert len(rest.modes) == 2
    whole = loadings[:, 2:] @ modes[2:]
    np.testing.assert_allclose(rest.loadings @ rest.modes, whole, atol=1e-4)
    assert len(_outside(background, modes).modes) == 0
    assert _outside(no_background(1000, 500), modes).modes.shape == (0, 500)


@pytest.mark.parametrize("smoothing", [0.0, 4.0])
def test_a_background_estimated_again_takes_nothing_twice(smoothing):
    rng = np.random.default_rng(6)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    loadings = np.stack([np.sin(y / 15 + k) + np.cos(x / 12 - k) for k in range(3)])
    courses = rng.standard_normal((3, 400)).cumsum(axis=1) / 5
    glow = loadings.reshape(3, -1).T @ courses
    movie = (glow + rng.standard_normal(glow.shape)).astype(np.float32)
    residual, background = movie.copy(), no_background(*movie.shape)
    for _ in range(3):
        background = renew_background(
            residual,
            SHAPE,
            background,
            valid=np.ones(len(movie), bool),
            most=20,
            block_size=4.0,
            smoothing=smoothing,
        )
        model = background.loadings @ background.modes
        np.testing.assert_allclose(residual + model, movie, atol=0.05)
    assert residual.var() < 1.1
    assert np.corrcoef(model.ravel(), glow.ravel())[0, 1] > 0.98
