"""Combine the displacements found for each frame into one motion, filtered in time."""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.field import limit_deviation
from napari_mesmerize.motion.fit.field_fit import FieldFit
from napari_mesmerize.motion.fit.least_squares import rigid_information
from napari_mesmerize.motion.fit.rigid import Estimates
from napari_mesmerize.motion.kernels.rows import fill_lost, row_parts
from napari_mesmerize.motion.params import PiecewiseParams
from napari_mesmerize.motion.quality import without_match
from napari_mesmerize.motion.template.template import Template
from napari_mesmerize.motion.time.filter import (
    Modes,
    filter_apart,
    filter_in_time,
    learn_prior,
)
from napari_mesmerize.motion.time.rigid_part import RigidPart

_LARGEST_BEND = 9.0  # power of a field's mode, in what is expected of it


def unknown_frames(estimates: Estimates, template: Template) -> NDArray[np.bool_]:
    """Tell which frames' motion has to be guessed from their neighbours."""
    n_pixels = int((template.binned_weights > 0).sum())
    return without_match(estimates.after, estimates.lost, n_pixels)


def joint_field(
    vectors: NDArray[np.float32],
    usual: NDArray[np.float32],
    unlike: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    fit: FieldFit,
    params: PiecewiseParams,
) -> None:
    """Filter the fields of all frames together, in place.

    The shift of the frame as a whole and how it bends are told apart and filtered each
    by itself: so a frame that jumps does not disturb the slow bending around it. Nor do
    frames whose rows moved apart.

    Parameters
    ----------
    vectors : numpy.ndarray
        Shape (n_frames, M): what each frame says; become the joint coefficients.
    usual : numpy.ndarray
        Shape (k, M): coefficients of some frames, whose median is no motion.
    unlike : tuple of numpy.ndarray
        Shape (n_frames,): frames that say nothing, and frames whose rows moved apart.
    fit : FieldFit
        Template, grid, prior.
    params : PiecewiseParams
        Whether the prior is learned, and how far fields deviate.
    """
    lost, torn = unlike
    constant = np.median(usual, axis=0).astype(float)
    split = RigidPart.of(fit.information, fit.grid)
    whole = np.empty((len(vectors), fit.grid.n_components))
    for part in row_parts(*vectors.shape):
        rows = vectors[part] - constant @ fit.information
        whole[part], vectors[part] = split.total(rows), split.rest(rows)
    fill_lost(whole, lost)
    fill_lost(vectors, lost)
    filter_apart(whole, split.total_information, split.modes, torn)
    prior = fit.prior
    if params.adapt_prior:
        prior = learn_prior(vectors, ~lost, split.rest_information, prior)
    modes = Modes.of(split.rest_information, prior)
    filter_apart(vectors, split.rest_information, modes, torn, _LARGEST_BEND)
    for part in row_parts(*vectors.shape):
        found = constant + split.join(whole[part], vectors[part].astype(float))
        vectors[part] = limit_deviation(found, fit.grid, params.max_deviation)


def joint_shifts(estimates: Estimates, template: Template) -> NDArray[np.float64]:
    """Filter the displacements of all frames together, (n_frames, 3)."""
    settings = template.settings
    axes = slice(3 - settings.n_axes, 3)
    found = estimates.displacements[:, axes].copy()
    fill_lost(found, unknown_frames(estimates, template))
    constant = np.median(found, axis=0)
    information = rigid_information(template)[settings.pads[0]][axes, axes]
    prior = np.diag([settings.prior_rigid_sd**2] * settings.n_axes)
    found = (found - constant) @ information
    filter_in_time(found, Modes.of(information, prior))
    found += constant
    found[:, np.array(settings.max_shift[axes]) == 0] = 0
    return np.pad(found, [(0, 0), (3 - settings.n_axes, 0)])
