"""Estimating the motion of a recording: template, all frames, joint filter."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.combine import joint_field, joint_shifts, unknown_frames
from napari_mesmerize.motion.field import FieldMotion, Grid, mean_displacement
from napari_mesmerize.motion.fit.align import (
    Guide,
    align_subset,
    rigid_template,
    too_small,
)
from napari_mesmerize.motion.fit.field_fit import (
    FieldFit,
    align_subset_fields,
    field_template,
    make_prior,
)
from napari_mesmerize.motion.fit.fields import FieldEstimator, RefineWork
from napari_mesmerize.motion.fit.least_squares import expected_error
from napari_mesmerize.motion.fit.rigid import (
    Estimates,
    EstimateWork,
    Gathered,
    RigidEstimator,
)
from napari_mesmerize.motion.kernels.device import Device
from napari_mesmerize.motion.kernels.rows import subtract_median
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams, Settings
from napari_mesmerize.motion.passes import Passes
from napari_mesmerize.motion.shift_prior import ShiftPrior
from napari_mesmerize.motion.store import MotionStore
from napari_mesmerize.motion.template.contrast import Gain
from napari_mesmerize.motion.template.subset import Subset, make_subset
from napari_mesmerize.motion.template.template import Template, make_template

_LEAST_COMMON = 1.3  # of the noise in the mean of the frames: less is no structure
_DIM = 0.06  # px: expected error of a shift above which a recording counts as dim
_DIM_FRAMES = 2  # times as many frames make the template
_DIM_SIGMA = 1.3  # times as wide a filter
_CLEAR = 1.5  # power of the template, in that of the noise, of a clear recording
_CLEAR_BORDER = 2  # px ignored at each side of its frames


@dataclass(frozen=True)
class Motion:
    """The motion of a whole recording.

    Attributes
    ----------
    displacements : numpy.ndarray
        Shape (n_frames, 3), (z, y, x) px.
    field : FieldMotion or None
        Displacement fields, where they are not the same over the whole frame.
    estimates : Estimates
        What the pass over the frames found.
    template : Template
        What the frames were aligned to.
    chosen : numpy.ndarray
        The frames that made it.
    registered : bool
        False where the frames have nothing in common: then nothing is moved.
    """

    displacements: NDArray[np.float64]
    field: FieldMotion | None
    estimates: Estimates
    template: Template
    chosen: NDArray[np.intp]
    registered: bool = True


@dataclass(frozen=True)
class Basis:
    """A template and the frames that made it.

    Attributes
    ----------
    subset : Subset
        The frames.
    template : Template
        Rigid, or through the frames' fields.
    dim : bool
        So little light that more frames and a wider filter were used.
    registered : bool
        The frames have something in common that can be registered.
    """

    subset: Subset
    template: Template
    dim: bool
    registered: bool = True

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what :func:`restore_basis` needs."""
        gain = self.subset.gain
        return {
            "image": self.template.image,
            "weights": self.template.weights,
            "places": self.template.places,
            "chosen": self.subset.chosen,
            "gain": np.array([gain.black, gain.least]),
            "max_shift": np.array(self.subset.settings.max_shift),
            "filter_sigma": np.array(self.subset.settings.filter_sigma),
            "border": np.array(self.subset.settings.border),
            "expected": self.subset.settings.expected.arrays(),
            "dim": np.array(self.dim),
            "registered": np.array(self.registered),
            "partial": np.array(self.template.partial),
        }


def restore_basis(
    arrays: dict[str, NDArray[Any]], settings: Settings, passes: Passes
) -> Basis:
    """Return a basis from what :meth:`Basis.arrays` gave."""
    z, y, x = (int(limit) for limit in arrays["max_shift"])
    settings = replace(
        settings,
        max_shift=(z, y, x),
        filter_sigma=float(arrays["filter_sigma"]),
        border=int(arrays["border"]),
        expected=ShiftPrior.of_array(arrays["expected"]),
    )
    black, least = (float(value) for value in arrays["gain"])
    subset = Subset(
        passes.source, arrays["chosen"], Gain(black, least), settings, passes.schedule
    )
    template = make_template(
        arrays["image"],
        arrays["weights"],
        settings,
        arrays["places"],
        partial=bool(arrays["partial"]),
    )
    return Basis(subset, template, bool(arrays["dim"]), bool(arrays["registered"]))


def make_basis(
    settings: Settings, guide: Guide, passes: Passes, params: RigidParams
) -> Basis:
    """Choose frames, align them and build the template."""
    subset = make_subset(passes.source, settings, passes.schedule)
    common = subset.common_structure(guide.binned_region())
    if guide.template is None and common < _LEAST_COMMON:
        template = rigid_template(subset, np.zeros((len(subset), 3)), guide)
        return Basis(subset, template, dim=False, registered=False)
    subset, displacements, template = align_subset(subset, guide)
    dim = params.template_frames == 0 and expected_error(template) > _DIM
    if dim:
        settings = replace(
            subset.settings,
            filter_sigma=settings.filter_sigma * _DIM_SIGMA,
            template_frames=settings.template_frames * _DIM_FRAMES,
        )
        subset = make_subset(passes.source, settings, passes.schedule)
        subset, displacements, template = align_subset(subset, guide)
    if isinstance(params, PiecewiseParams):
        if template.clarity > _CLEAR:
            # the low-pass can not know what lies beyond the border: that disturbs
            # clear frames more than noise does
            settings = replace(subset.settings, border=_CLEAR_BORDER)
            subset = replace(subset, settings=settings)
        grid = make_grid(subset.settings, params)
        prior = make_prior(grid, subset)
        template = align_subset_fields(
            subset, displacements, template, grid, prior, guide
        )
    return Basis(subset, template, dim)


def make_grid(settings: Settings, params: PiecewiseParams) -> Grid:
    """Return the grid of the fields."""
    return Grid.make(settings, automatic=params.strides == 0)


def estimate_motion(
    settings: Settings,
    guide: Guide,
    passes: Passes,
    params: RigidParams,
    store: MotionStore | None = None,
) -> Motion:
    """Estimate the motion; starts again if the search range was too small."""
    while True:
        kept = store.load_template() if store else None
        if kept is None:
            basis = make_basis(settings, guide, passes, params)
            if store:
                store.save_template(basis.arrays())
        else:
            basis = restore_basis(kept, settings, passes)
        estimator = make_estimator(basis, guide, params, passes.device)
        gathered = estimate_all(estimator, passes, store)
        estimates = gathered.estimates
        wider = basis.subset.settings.wider()
        grow = settings.grow and basis.registered and wider is not None
        if not grow or not too_small(estimates.at_edge):
            break
        assert wider is not None
        settings = replace(settings, max_shift=wider.max_shift)
        if store:
            store.reset()
    if not basis.registered:
        return _still(estimates, estimator, basis, params)
    if isinstance(params, PiecewiseParams) and isinstance(estimator, FieldEstimator):
        return _with_field(gathered, estimator, basis, guide, passes, params)
    found = joint_shifts(estimates, basis.template)
    _centre(found, guide)
    return Motion(found, None, estimates, basis.template, basis.subset.chosen)


def _still(
    estimates: Estimates, estimator: RigidEstimator, basis: Basis, params: RigidParams
) -> Motion:
    """Return that nothing moved."""
    field = None
    if isinstance(params, PiecewiseParams) and isinstance(estimator, FieldEstimator):
        grid, n_frames = estimator.fit.grid, len(estimates.lost)
        zero = np.zeros((n_frames, grid.size), np.float32)
        field = FieldMotion(zero, grid, params.upsample_grid)
    still = np.zeros_like(estimates.displacements)
    estimates = _without_vectors(replace(estimates, after=estimates.before))
    estimates = replace(estimates, displacements=still)
    chosen = basis.subset.chosen
    return Motion(still, field, estimates, basis.template, chosen, False)


def _centre(values: NDArray[np.floating], guide: Guide) -> None:
    """Make the median of motion (n_frames, M) 0, unless a template fixes that."""
    if guide.template is None:
        subtract_median(values)


def _without_vectors(estimates: Estimates) -> Estimates:
    """Return estimates without the largest of them, which is used up."""
    return replace(estimates, vectors=np.empty((len(estimates.lost), 0), np.float32))


def make_estimator(
    basis: Basis, guide: Guide, params: RigidParams, device: Device
) -> RigidEstimator:
    """Return what estimates the frames."""
    if isinstance(params, PiecewiseParams):
        grid = make_grid(basis.subset.settings, params)
        fit = FieldFit(basis.template, grid, make_prior(grid, basis.subset))
        return FieldEstimator(fit, basis.subset.gain, guide, device)
    return RigidEstimator(basis.template, basis.subset.gain, guide, device)


def estimate_all(
    estimator: RigidEstimator, passes: Passes, store: MotionStore | None
) -> Gathered:
    """Run an estimator over all frames that were not estimated before."""

    def parts() -> Iterator[Estimates]:
        done = 0
        for part in store.load_estimates() if store else ():
            done += len(part.lost)
            yield part
        work = EstimateWork(estimator)
        for batch, units in passes.run(work, "Estimating motion", done):
            found = Estimates.join(units)
            if store:
                store.save_estimates(batch, found)
            yield found

    return Gathered.of(parts(), passes.source.n_frames)


def _with_field(
    gathered: Gathered,
    estimator: FieldEstimator,
    basis: Basis,
    guide: Guide,
    passes: Passes,
    params: PiecewiseParams,
) -> Motion:
    """Filter the fields of all frames; where asked, fit to a better template again."""
    fit, subset, estimates = estimator.fit, basis.subset, gathered.estimates
    lost = unknown_frames(estimates, fit.template)
    torn = estimates.torn & ~lost
    usual = gathered.coefficients[~lost[gathered.sampled]]
    found = estimates.vectors
    estimates = _without_vectors(estimates)
    joint_field(found, usual, (lost, torn), fit, params)
    if params.refine or basis.dim:
        theirs = found[subset.chosen]
        means = mean_displacement(theirs, fit.grid)
        template = field_template(subset, theirs, means, fit.grid, guide)
        fit = FieldFit(template, fit.grid, fit.prior)
        usual = found[gathered.sampled][~lost[gathered.sampled]]
        work = RefineWork(fit, subset.gain, found, passes.device)
        again, done = np.empty_like(found), 0
        for _, units in passes.run(work, "Refining fields"):
            for unit in units:
                again[done : done + len(unit)] = unit
                done += len(unit)
        found = again
        joint_field(found, usual, (lost, torn), fit, params)
    _centre(found, guide)
    field = FieldMotion(found, fit.grid, params.upsample_grid)
    return Motion(field.mean(), field, estimates, fit.template, subset.chosen)
