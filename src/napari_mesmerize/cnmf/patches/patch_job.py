"""The work on any patch: read it, extract, keep what is the patch's own."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.params import Params
from napari_mesmerize.cnmf.patches.given_masks import cells_of_patch, keep_own
from napari_mesmerize.cnmf.patches.plan import Patch, read_rows, usable_pixels
from napari_mesmerize.cnmf.patches.recipe import PatchResult, extract_patch
from napari_mesmerize.cnmf.patches.run_patches import Step
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.compute.resources import one_blas_thread


@dataclass(frozen=True)
class Job:
    """What the work on any patch needs.

    Attributes
    ----------
    recording : xarray.DataArray or None
        Not needed where :meth:`work` gets the pixels.
    shape : tuple of int
        Of the recording's images.
    border : tuple of int
        (top, bottom, left, right) in pixels that are left out.
    masks : list of Cell or None
        To start from instead of a search.
    """

    recording: xr.DataArray | None
    settings: Settings
    params: Params
    shape: tuple[int, ...]
    border: tuple[int, int, int, int]
    seed: int
    masks: list[Cell] | None

    def read(self, patch: Patch) -> FloatArray:
        """Return a patch's pixels, (n_pixels, n_frames)."""
        if self.recording is None:
            raise AssertionError("this job came without its recording")
        return read_rows(self.recording, patch)

    def run(self, patch: Patch, step: Step) -> PatchResult:
        """Read a patch and extract its components."""
        step("reading")
        return self.work(patch, self.read(patch), step)

    def work(self, patch: Patch, rows: FloatArray, step: Step) -> PatchResult:
        """Extract a patch's components from its pixels, which are overwritten."""
        usable = usable_pixels(patch, self.shape, self.border)
        given = None
        if self.masks is not None:
            given = cells_of_patch(self.masks, patch, self.shape)
        result = extract_patch(
            rows,
            patch.shape,
            usable,
            self.settings,
            self.params,
            seed=self.seed,
            given=given,
            check=step,
        )
        if self.masks is not None:
            keep_own(result, self.masks, patch, self.shape, rows, self.settings)
        return result

    def detached(self) -> "Job":
        """Return the same without the recording, to be sent to another machine."""
        return replace(self, recording=None)


def work_elsewhere(job: Job, patch: Patch, rows: Any) -> PatchResult:
    """Extract a patch from pixels that were sent here (on a worker of a cluster)."""
    own = np.array(rows, np.float32)  # what was sent may not be written to
    with one_blas_thread():
        return job.work(patch, own, lambda step: None)
