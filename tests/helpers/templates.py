"""Templates of known, band-limited images, and frames of them that moved."""

from dataclasses import replace

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

from napari_mesmerize.motion.params import PiecewiseParams, RigidParams, resolve
from napari_mesmerize.motion.template.template import STILL, make_template

# canvases of these sizes are transformed without padding, so that they are periodic
PLANES = (1, 51, 66)  # frames; the canvas is wider by the pads
VOLUMES = (5, 36, 36)


def settings_of(frame_shape, *, piecewise=False, max_shift=6, **changes):
    """Return settings for frames (z, y, x) whose canvas is of a fast length."""
    kind = PiecewiseParams if piecewise else RigidParams
    shape = frame_shape if frame_shape[0] > 1 else frame_shape[1:]
    return replace(resolve(kind(max_shift=max_shift), shape), **changes)


def smooth_image(shape, seed=0):
    """Return an image (z, y, x) that repeats beyond its border, of variance 1."""
    noise = np.random.default_rng(seed).normal(size=shape)
    sigma = (1.2 if shape[0] > 1 else 0, 1.5, 1.5)
    image = gaussian_filter(noise, sigma, mode=("nearest", "wrap", "wrap"))
    return (image / image.std()).astype(np.float32)


def moved_image(image, y, x):
    """Return an image (z, y, x) that moved by (y, x) px, exactly (Fourier)."""
    height, width = image.shape[1:]
    phase = fft.fftfreq(height)[:, None] * y + fft.rfftfreq(width) * x
    spectrum = fft.rfft2(image.astype(np.float64)) * np.exp(-2j * np.pi * phase)
    return fft.irfft2(spectrum, s=(height, width))


def canvas_size(settings):
    return tuple(
        n + 2 * p for n, p in zip(settings.frame_shape, settings.pads, strict=True)
    )


def template_of(settings, seed=0, weights=None):
    """Return a template of a smooth image; all of its canvas is known by default."""
    shape = canvas_size(settings)
    image = smooth_image(shape, seed)
    if weights is None:
        weights = np.ones(shape, np.float32)
    return make_template(image, weights, settings, STILL)


def frames_of(template, moves):
    """Return frames (n, z, y, x) of the template's image, moved by (n, 2) px."""
    inside = template.inside
    frames = [moved_image(template.image, y, x)[inside] for y, x in moves]
    return np.stack(frames).astype(np.float32)
