"""The steps of the extraction in one patch, from counts to judged components."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.deconvolve.spikes import deconvolve_cells
from napari_mesmerize.cnmf.judge.processes import take_process_view
from napari_mesmerize.cnmf.judge.shape import take_view
from napari_mesmerize.cnmf.params import Params
from napari_mesmerize.cnmf.refine.background import (
    LowRank,
    no_background,
    renew_background,
)
from napari_mesmerize.cnmf.refine.footprint import update_footprint
from napari_mesmerize.cnmf.refine.noise import PixelStatistics, standardise
from napari_mesmerize.cnmf.refine.prune import prune
from napari_mesmerize.cnmf.refine.ring import renew_ring
from napari_mesmerize.cnmf.refine.surround import raw_trace_above, update_trace_above
from napari_mesmerize.cnmf.refine.trace import raw_trace, set_first_trace, update_trace
from napari_mesmerize.cnmf.search.find import find_candidates
from napari_mesmerize.cnmf.settings import FloatArray, Settings

LEAST_BESIDE = 0.3  # share of pixels beside given masks that shows the background
MOST_CANDIDATES = 600  # of one search, for 128 x 128 pixels


@dataclass(frozen=True)
class BackgroundModes:
    """How many modes of the background are looked for in 128 x 128 pixels.

    Attributes
    ----------
    first : int
        Before components are searched.
    most : int
        Afterwards, for cells up to ``usual_radius`` pixels; larger ones would be taken
        for background by as many modes.
    usual_radius : float
        Pixels.
    edge : float
        How far a mode stands above noise.
    """

    first: int
    most: int
    usual_radius: float
    edge: float


TWO_PHOTON = BackgroundModes(first=8, most=30, usual_radius=4.6, edge=1.6)
ONE_PHOTON = BackgroundModes(first=12, most=60, usual_radius=5.6, edge=1.3)


@dataclass
class PatchResult:
    """What was found in a patch.

    Attributes
    ----------
    cells : list of Cell
        Footprints on the patch, in noise units.
    statistics : PixelStatistics
        Mean and noise of the patch's pixels.
    background : LowRank
        In noise units.
    """

    cells: list[Cell]
    statistics: PixelStatistics
    background: LowRank


@dataclass
class _State:
    """A patch while it is worked on."""

    residual: FloatArray
    shape: tuple[int, int]
    valid: NDArray[np.bool_]
    settings: Settings
    params: Params
    seed: int
    background: LowRank
    cells: list[Cell]

    @property
    def share(self) -> float:
        """Area in units of 128 x 128 pixels, at least 1."""
        return max(1.0, self.shape[0] * self.shape[1] / 128**2)

    @property
    def modes(self) -> BackgroundModes:
        """What background is expected; scattered light has more of it."""
        return ONE_PHOTON if self.settings.one_photon else TWO_PHOTON

    def renew_background(
        self,
        most: int,
        block_size: float,
        smoothing: float,
        *,
        clip: bool = False,
        shown: NDArray[np.bool_] | None = None,
    ) -> None:
        if self.params.background_modes:
            most = self.params.background_modes
        if self.params.background == "ring":
            radius = self.settings.radius
            self.background = renew_ring(
                self.residual,
                self.shape,
                self.background,
                valid=self.valid,
                ring_radius=2 * radius * self.params.ring_size_factor,
                block_size=max(1.0, radius / 2),
                most=max(most, self.modes.most),
                seed=self.seed,
            )
            return
        self.background = renew_background(
            self.residual,
            self.shape,
            self.background,
            valid=self.valid,
            most=most,
            block_size=block_size,
            smoothing=smoothing,
            edge_factor=self.modes.edge,
            clip=clip,
            shown=shown,
            seed=self.seed,
        )

    def update_trace(self, cell: Cell) -> None:
        """Renew a trace; in scattered light, from what stands above surroundings."""
        if self.settings.one_photon:
            update_trace_above(
                cell, self.residual, self.shape, self.valid, self.settings
            )
        else:
            update_trace(cell, self.residual, self.settings)

    def raw_trace(self, cell: Cell) -> FloatArray:
        """Return a trace with its noise, seen as by :meth:`update_trace`."""
        if self.settings.one_photon:
            return raw_trace_above(
                cell, self.residual, self.shape, self.valid, self.settings
            )
        return raw_trace(cell, self.residual)

    def refine(self, smoothing: float) -> None:
        """Renew the background, then twice all traces and all footprints; prune."""
        radius = self.settings.radius
        most = self.modes.most * self.share
        most *= min(1.0, self.modes.usual_radius / radius)
        self.renew_background(max(8, int(most)), radius, smoothing)
        for _ in range(2):
            for cell in self.cells:
                self.update_trace(cell)
            for cell in self.cells:
                update_footprint(
                    cell, self.residual, self.shape, self.valid, self.settings
                )
        self.cells = prune(
            self.cells,
            self.residual,
            self.shape[1],
            self.settings,
            self.params.merge_threshold,
        )


def extract_patch(
    rows: FloatArray,
    shape: tuple[int, int],
    usable: NDArray[np.bool_],
    settings: Settings,
    params: Params,
    *,
    seed: int = 0,
    given: list[Cell] | None = None,
    check: Callable[[str], None] = lambda step: None,
) -> PatchResult:
    """Run all steps on one patch.

    Parameters
    ----------
    rows : numpy.ndarray
        Shape (n_pixels, n_frames), counts; overwritten.
    shape : tuple of int
        (height, width) of the patch.
    usable : numpy.ndarray
        Shape (n_pixels,), bool.
    settings : Settings
        Cell size and kinetics.
    params : Params
        The engine's parameters.
    seed : int, optional
        Of what little is random.
    given : list of Cell, optional
        Footprints to start from instead of a search.
    check : callable, optional
        Called with the name of each step before it; may raise to stop.
    """
    check("noise")
    statistics = standardise(rows, shape, usable, params.noise)
    state = _State(
        residual=rows,
        shape=shape,
        valid=statistics.valid,
        settings=settings,
        params=params,
        seed=seed,
        background=no_background(*rows.shape),
        cells=[],
    )
    if statistics.valid.any():
        _find_and_refine(state, given, check)
    for cell in state.cells:
        cell.raw = state.raw_trace(cell)
        look = take_process_view if settings.any_shape else take_view
        look(
            cell,
            state.residual,
            shape,
            statistics.valid,
            settings,
            statistics.shared,
        )
    check("deconvolution")
    deconvolve_cells(state.cells, settings, params)
    return PatchResult(state.cells, statistics, state.background)


def beside(given: list[Cell], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels beside given masks; all where few are left."""
    outside = valid.copy()
    for cell in given:
        outside[cell.pixels] = False
    return outside if outside.sum() > LEAST_BESIDE * valid.sum() else valid


def _find_and_refine(
    state: _State, given: list[Cell] | None, check: Callable[[str], None]
) -> None:
    settings, params = state.settings, state.params
    check("background")
    first = int(state.modes.first * np.sqrt(state.share))
    shown = None if given is None else beside(given, state.valid)
    state.renew_background(
        first, 3 * settings.radius, settings.radius, clip=True, shown=shown
    )
    smallest_score = params.detection_threshold
    most = params.components_per_patch or int(MOST_CANDIDATES * state.share)
    for attempt in range(1 if given is not None else params.searches):
        check("detection")
        if given is not None:
            new = given
        else:
            new = find_candidates(
                state.residual,
                state.shape,
                state.valid,
                settings,
                params,
                smallest_score,
                most - len(state.cells),
            )
        for cell in new:
            set_first_trace(cell, state.residual, state.shape, settings)
        state.cells += new
        for _ in range(params.refinement_rounds):
            check("refinement")
            state.refine(settings.radius if attempt == 0 else 0.0)
        smallest_score = params.detection_threshold - 0.5
    check("refinement")
    state.refine(0.0)
