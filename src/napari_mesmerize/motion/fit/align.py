"""From frames to a template and one displacement per frame."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.fit.coarse import (
    CoarseTemplate,
    best_shifts,
    coarse_evidence,
    coarse_shifts,
    prepare_coarse,
    project_planes,
)
from napari_mesmerize.motion.fit.least_squares import expected_error, fit_rigid
from napari_mesmerize.motion.params import Settings
from napari_mesmerize.motion.resample.canvas import CanvasSums, sum_shifted
from napari_mesmerize.motion.shift_prior import ANY_SHIFT, ShiftPrior
from napari_mesmerize.motion.template.contrast import estimate_gain, local_contrast
from napari_mesmerize.motion.template.subset import Subset
from napari_mesmerize.motion.template.template import (
    STILL,
    Template,
    bin_canvas,
    make_template,
    mean_and_weights,
    usual_places,
)

_EDGE_SHARE = 0.005  # of frames at the edge of the search range: it was too small
_EDGE_COUNT = 2
_STEPS_A_ROUND = 2
_MORE_ROUNDS = 6  # at most, while displacements still change
_SETTLED = 0.01  # px still to come, or
_SETTLED_SHARE = 0.25  # of the error that noise allows

Float = NDArray[np.float64]
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Guide:
    """What the caller says about the registration.

    Attributes
    ----------
    region : numpy.ndarray or None
        Shape (z, y, x), True where frames are compared.
    template : numpy.ndarray or None
        Shape (z, y, x), raw intensities to align to.
    """

    region: NDArray[np.bool_] | None = None
    template: Image | None = None

    def weighted(self, weights: Image, settings: Settings) -> Image:
        """Return canvas weights, 0 outside of the region."""
        if self.region is None:
            return weights
        extra = [(pad, pad) for pad in settings.pads]
        return weights * np.pad(self.region.astype(np.float32), extra)

    def binned_region(self) -> Image | None:
        """Return the region's share of binned pixels, (y, x)."""
        if self.region is None:
            return None
        binned: Image = bin_canvas(self.region.astype(np.float32)).mean(axis=0)
        return binned


def too_small(at_edge: NDArray[np.bool_]) -> bool:
    """Tell whether the search range cut off shifts."""
    count = int(at_edge.sum())
    return count >= _EDGE_COUNT and count > _EDGE_SHARE * len(at_edge)


def coarse_of(binned: Image, settings: Settings, guide: Guide) -> CoarseTemplate:
    """Prepare a binned image (z, y, x) for the coarse search."""
    return prepare_coarse(
        project_planes(binned[None])[0],
        settings.frame_shape[1:],
        settings.max_shift[1:],
        guide.binned_region(),
        settings.expected,
    )


def start_displacements(
    binned: Image, coarse: CoarseTemplate
) -> tuple[Float, NDArray[np.bool_]]:
    """Return coarse displacements (n, 3), z unknown (0), and which lie at the edge."""
    lateral, at_edge = coarse_shifts(project_planes(binned), coarse)
    return np.pad(lateral, [(0, 0), (1, 0)]), at_edge


def subset_displacements(subset: Subset, coarse: CoarseTemplate) -> Float:
    """Coarsely align the subset; the median displacement is 0."""
    parts = subset.map(lambda _, binned, __: start_displacements(binned, coarse)[0])
    found = np.concatenate(parts)
    centred: Float = found - np.median(found, axis=0)
    return centred


def rigid_sums(subset: Subset, displacements: Float) -> tuple[CanvasSums, CanvasSums]:
    """Sum both halves of the subset on the canvas, each frame moved back."""
    settings = subset.settings
    return subset.accumulate(
        lambda frames, place, sums: sum_shifted(
            frames, displacements[place], sums, settings.pads, settings.border
        )
    )


def rigid_template(subset: Subset, displacements: Float, guide: Guide) -> Template:
    """Return the template of the subset at its displacements (n, 3)."""
    image, weights = mean_and_weights(
        rigid_sums(subset, displacements), subset.settings
    )
    return finish_template(image, weights, subset, displacements, guide)


def finish_template(
    image: Image, weights: Image, subset: Subset, displacements: Float, guide: Guide
) -> Template:
    """Return a template that is compared within the caller's region.

    ``displacements`` (n, 3) are those of the frames that made it.
    """
    settings = subset.settings
    weights = guide.weighted(weights, settings)
    return make_template(
        image,
        weights,
        settings,
        usual_places(displacements),
        partial=guide.region is not None,
    )


def _given_template(subset: Subset, guide: Guide) -> Template:
    """Return the caller's image as a template; all its pixels weigh the same."""
    assert guide.template is not None
    settings = subset.settings
    gain = estimate_gain(guide.template[None], settings.filter_sigma) or subset.gain
    contrast, _ = local_contrast(guide.template[None], settings.filter_sigma, gain)
    variances = subset.map(lambda frames, _, __: float(frames.var()))
    extra = [(pad, pad) for pad in settings.pads]
    known = np.ones(contrast[0].shape) / np.mean(variances)
    weights = np.pad(known, extra).astype(np.float32)
    image = np.pad(contrast[0], extra)
    weights = guide.weighted(weights, settings)
    partial = guide.region is not None
    return make_template(image, weights, settings, STILL, partial=partial)


def align_subset(subset: Subset, guide: Guide) -> tuple[Subset, Float, Template]:
    """Align the subset rigidly and build its template.

    Returns
    -------
    subset : Subset
        The same, with a wider search range if it was too small.
    displacements : numpy.ndarray
        Shape (n, 3), (z, y, x) px.
    template : Template
        At these displacements.
    """
    start = _start if guide.template is None else _start_at_given
    subset, displacements, at_edge = start(subset, guide)
    wider = subset.settings.wider()
    if subset.settings.grow and too_small(at_edge) and wider is not None:
        wider = replace(wider, expected=ANY_SHIFT)
        return align_subset(replace(subset, settings=wider), guide)
    return (subset, *_refine(subset, displacements, guide))


def _start(subset: Subset, guide: Guide) -> tuple[Subset, Float, NDArray[np.bool_]]:
    """Coarsely align the subset to some frames amid it, then to its mean."""
    coarse = coarse_of(_middle_mean(subset), subset.settings, guide)
    displacements = subset_displacements(subset, coarse)
    image, _ = mean_and_weights(rigid_sums(subset, displacements), subset.settings)
    inside = tuple(
        slice(pad, pad + size)
        for pad, size in zip(
            subset.settings.pads, subset.settings.frame_shape, strict=True
        )
    )
    subset, found, at_edge = _expected_shifts(subset, bin_canvas(image[inside]), guide)
    return subset, found - np.median(found, axis=0), at_edge


def _start_at_given(
    subset: Subset, guide: Guide
) -> tuple[Subset, Float, NDArray[np.bool_]]:
    """Align the subset to the caller's image, which fixes where zero is."""
    template = _given_template(subset, guide)
    subset, displacements, at_edge = _expected_shifts(subset, template.binned, guide)
    found = _fit_subset(subset, template, displacements, rounds=2)
    return subset, found, at_edge


def _expected_shifts(
    subset: Subset, binned: Image, guide: Guide
) -> tuple[Subset, Float, NDArray[np.bool_]]:
    """Learn from the subset which shifts are to be expected, and align it with that."""
    coarse = coarse_of(binned, subset.settings, guide)
    parts = subset.map(
        lambda _, planes, __: coarse_evidence(project_planes(planes), coarse)
    )
    evidence = np.concatenate(parts)
    y, x = np.median(best_shifts(evidence, coarse)[0], axis=0)
    expected = ShiftPrior.learn(evidence, coarse.binning, (float(y), float(x)))
    lateral, at_edge = best_shifts(evidence, replace(coarse, prior=expected))
    subset = replace(subset, settings=replace(subset.settings, expected=expected))
    return subset, np.pad(lateral, [(0, 0), (1, 0)]), at_edge


def _refine(
    subset: Subset, displacements: Float, guide: Guide
) -> tuple[Float, Template]:
    """Rounds of template and rigid fit; returns the last of both."""
    template = rigid_template(subset, displacements, guide)
    last = np.inf
    for k in range(subset.settings.rounds + _MORE_ROUNDS):
        before = displacements
        displacements = _fit_subset(subset, template, displacements)
        if guide.template is None:
            displacements = displacements - np.median(displacements, axis=0)
        template = rigid_template(subset, displacements, guide)
        change = float(np.sqrt(((displacements - before) ** 2).sum(axis=1).mean()))
        enough = max(_SETTLED, _SETTLED_SHARE * expected_error(template))
        if k + 1 >= subset.settings.rounds and _to_come(change, last) < enough:
            break
        last = change
    return displacements, template


def _to_come(change: float, last: float) -> float:
    """Return how much displacements will still change, from the last two changes.

    These fall by about the same factor from round to round; slowly where frames that
    are displaced by far see a part of the tissue that hardly any others see.
    """
    factor = min(change / last, 0.9) if last > 0 else 0.0
    return change * factor / (1 - factor)


def _fit_subset(
    subset: Subset, template: Template, displacements: Float, rounds: int = 1
) -> Float:
    """Improve the displacements of the subset by Gauss-Newton steps."""
    n_steps = rounds * _STEPS_A_ROUND

    def work(frames: Image, _: Image, place: slice) -> Float:
        return fit_rigid(template, frames, displacements[place], n_steps)

    return np.concatenate(subset.map(work))


def _middle_mean(subset: Subset) -> Image:
    """Return the mean of consecutive frames amid the recording, binned 2 x 2."""
    n_frames, wanted = subset.source.n_frames, subset.settings.start_frames
    middle = subset.chosen[len(subset) // 2]
    first = int(np.clip(middle - wanted // 2, 0, max(n_frames - wanted, 0)))
    frames = slice(first, min(first + wanted, n_frames))
    volumes, usable = subset.source.read(frames)
    _, binned = local_contrast(volumes, subset.settings.filter_sigma, subset.gain)
    kept = binned[usable] if usable.any() else binned
    mean: Image = kept.mean(axis=0, dtype=np.float32)
    return mean
