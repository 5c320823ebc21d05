"""Fitting displacement fields: gradients, a spatial prior, the template's rounds."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.field import (
    FieldMotion,
    Grid,
    evaluate,
    limit_deviation,
    prior_covariance,
    project_gradients,
    project_information,
)
from napari_mesmerize.motion.fit.align import Guide, finish_template
from napari_mesmerize.motion.fit.least_squares import block_gradients
from napari_mesmerize.motion.params import Settings
from napari_mesmerize.motion.resample.canvas import CanvasSums, sum_warped
from napari_mesmerize.motion.resample.warp import inverse_moves, seen_places
from napari_mesmerize.motion.template.subset import Subset
from napari_mesmerize.motion.template.template import Template, mean_and_weights
from napari_mesmerize.motion.time.filter import Modes

_LARGEST_STEP = 1.5  # px
_STEPS_A_ROUND = 2
_UNHEARD = 3  # power of the share that was muted: little muted blocks keep their place

Float = NDArray[np.float64]
Frames = NDArray[np.float32]


@dataclass(frozen=True)
class FieldFit:
    """Fits the coefficients of a field to frames, given a template.

    Attributes
    ----------
    template : Template
        What frames are compared with.
    grid : Grid
        The field's spline.
    prior : numpy.ndarray
        Covariance expected of the coefficients, (M, M).
    """

    template: Template
    grid: Grid
    prior: Float

    @cached_property
    def bases(self) -> tuple[Float, Float, Float]:
        """The spline at the block centres."""
        centres = self.grid.centres(self.template.settings.block_size)
        return self.grid.bases(centres)

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """Blocks that are compared, (bz, by, bx): at least half inside of a region."""
        template = self.template
        if not template.partial:
            return np.ones(template.information.shape[1:4], bool)
        known = template.weights[template.inside] > 0
        height, width = template.settings.block_size
        rows, columns = (
            np.arange(n) * size
            for n, size in zip(
                template.information.shape[2:4], (height, width), strict=True
            )
        )
        count = np.add.reduceat(known.astype(int), rows, axis=1)
        used: NDArray[np.bool_] = (
            2 * np.add.reduceat(count, columns, axis=2) >= height * width
        )
        return used

    @cached_property
    def information(self) -> Float:
        """Information of a frame about its coefficients, (M, M)."""
        still = self.template.information[self.template.settings.pads[0]]
        used = self.used[..., None, None]
        return project_information(used * still, self.grid, self.bases)

    @cached_property
    def modes(self) -> Modes:
        """Information and prior, diagonalised."""
        return Modes.of(self.information, self.prior)

    @cached_property
    def posterior(self) -> Float:
        """Covariance of a frame's coefficients, (M, M)."""
        return self.modes.posterior()

    def vectors(self, frames: Frames, coefficients: Float, *, mute: bool) -> Float:
        """Return information times estimate, (n, M): all that frames say of the field.

        ``mute`` weighs down blocks that do not fit; before the frames are aligned that
        would silence the blocks that still have to move.
        """
        moves = evaluate(coefficients, self.grid, self.bases)
        gradients, kept = block_gradients(
            self.template, frames, moves, mute_blocks=mute
        )
        if mute:
            gradients += self._towards_the_rest(moves, kept)
        gradients *= self.used[..., None]
        projected = project_gradients(gradients, self.grid, self.bases)
        return coefficients @ self.information + projected

    def _towards_the_rest(self, moves: Float, kept: Frames) -> Float:
        """Return gradients that let muted blocks move as the rest of their frame."""
        muted = kept.reshape(len(kept), -1).min(axis=1) < 1
        out = np.zeros_like(moves)
        if not muted.any():
            return out
        share = kept[muted].astype(np.float64)
        information = self.template.information[self.template.settings.pads[0]]
        pulled = np.einsum(
            "zyxab,nzyxb->nzyxa", information, moves[muted], optimize=True
        )
        flat = information.reshape(-1, 9)
        total = (share.reshape(len(share), -1) @ flat).reshape(-1, 3, 3)
        total += 1e-6 * np.eye(3)
        known = np.einsum("nzyx,nzyxa->na", share, pulled)
        rest = np.linalg.solve(total, known[..., None])[..., 0]
        missing = (1 - share[..., None]) ** _UNHEARD
        out[muted] = missing * (
            np.einsum("zyxab,nb->nzyxa", information, rest, optimize=True) - pulled
        )
        return out

    def near(self, rows: Float) -> Float:
        """Return the coefficients (n, M) nearest to displacements of rows of blocks.

        Parameters
        ----------
        rows : numpy.ndarray
            Shape (n, blocks_y, 3), px.
        """
        still = self.template.information[self.template.settings.pads[0]]
        pulled = np.einsum("zyxab,nyb->nzyxa", still * self.used[..., None, None], rows)
        return project_gradients(pulled, self.grid, self.bases) @ self.posterior

    def fit(
        self, frames: Frames, coefficients: Float, n_steps: int, *, mute: bool
    ) -> Float:
        """Step towards the most probable coefficients (n, M), frame by frame."""
        for k in range(n_steps):
            last = mute and k == n_steps - 1
            vectors = self.vectors(frames, coefficients, mute=last)
            step = vectors @ self.posterior - coefficients
            largest = np.abs(step).max(axis=1, keepdims=True)
            step *= np.minimum(1, _LARGEST_STEP / np.maximum(largest, 1e-9))
            coefficients = limit_deviation(
                coefficients + step, self.grid, self.template.settings.max_deviation
            )
        return coefficients


def field_template(
    subset: Subset,
    coefficients: NDArray[np.floating],
    displacements: Float,
    grid: Grid,
    guide: Guide,
) -> Template:
    """Return the template of the subset, each frame resampled through its field.

    ``displacements`` (n, 3) are those of the frames as a whole.
    """
    settings = subset.settings
    moves = _canvas_moves(subset, coefficients, grid)
    if guide.template is None:
        _straighten(moves, displacements, grid, settings)

    def add(frames: Frames, place: slice, sums: CanvasSums) -> None:
        sum_warped(frames, moves[place], sums, settings.pads, settings.border)

    image, weights = mean_and_weights(subset.accumulate(add), settings)
    return finish_template(image, weights, subset, displacements, guide)


def _canvas_moves(
    subset: Subset, coefficients: NDArray[np.floating], grid: Grid
) -> Frames:
    """Return the inverse fields (n, z, ny, nx, 3) of the subset on the canvas."""

    def invert(place: slice) -> Frames:
        some = coefficients[place].astype(np.float32)
        return inverse_moves(FieldMotion(some, grid), subset.settings.pads)

    return np.concatenate(subset.schedule.map_units(invert, len(subset)))


def _straighten(
    moves: Frames, displacements: Float, grid: Grid, settings: Settings
) -> None:
    """Subtract, in place, how frames bend on average at each place of the canvas.

    A bend that all frames have belongs to the template. Where only frames that are
    displaced by far see the tissue, nothing else would tell the two apart, and the
    template would be bent a little more from round to round.
    """
    whole = displacements.astype(np.float32)[:, None, None, None]
    seen = seen_places(moves, grid.frame_shape, settings.pads)[..., None]
    count = seen.sum(axis=0)
    bent = ((moves - whole) * seen).sum(axis=0)
    bent /= np.maximum(count, settings.least_coverage * len(moves)).astype(np.float32)
    bent -= np.average(bent, axis=(0, 1, 2), weights=np.broadcast_to(count, bent.shape))
    moves -= bent


def align_subset_fields(
    subset: Subset,
    displacements: Float,
    template: Template,
    grid: Grid,
    prior: Float,
    guide: Guide,
) -> Template:
    """Rounds of fields and template on the subset; returns the template."""
    coefficients = grid.constant(displacements)
    for _ in range(max(1, subset.settings.rounds - 1)):
        fit = FieldFit(template, grid, prior)
        coefficients = _fit_subset(subset, fit, coefficients)
        template = field_template(subset, coefficients, displacements, grid, guide)
    return template


def _fit_subset(subset: Subset, fit: FieldFit, coefficients: Float) -> Float:
    """Improve the fields of the subset."""
    _ = fit.posterior, fit.bases, fit.used  # before threads share them

    def work(frames: Frames, _: Frames, place: slice) -> Float:
        return fit.fit(frames, coefficients[place], _STEPS_A_ROUND, mute=False)

    return np.concatenate(subset.map(work))


def make_prior(grid: Grid, subset: Subset) -> Float:
    """Return the prior covariance of the coefficients."""
    return prior_covariance(grid, subset.settings)
