"""Extract components from a recording: checks, patches, and the result put together."""

import dataclasses
import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from napari_mesmerize.cnmf.assemble import assemble
from napari_mesmerize.cnmf.border import filled_border
from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.params import (
    INDICATORS,
    Cnmf3dParams,
    CnmfeParams,
    CnmfParams,
    Params,
)
from napari_mesmerize.cnmf.patches import (
    Patch,
    patch_memory,
    plan_patches,
    read_rows,
    usable_pixels,
)
from napari_mesmerize.cnmf.recipes import PatchResult, extract_patch
from napari_mesmerize.cnmf.running import Step, run_on_cluster, run_patches
from napari_mesmerize.cnmf.seeds import cells_of_patch, read_seeds
from napari_mesmerize.cnmf.settings import Settings
from napari_mesmerize.cnmf.sizes import estimate_cell_diameter
from napari_mesmerize.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.recording import (
    as_recording,
    check_recording,
    default_max_memory,
    image_shape,
    require_frame_rate,
)

_LOG = logging.getLogger(__name__)
_SMALLEST_DIAMETER = 3.0  # px, of a cell in the images that are searched


def extract_components(
    recording: xr.DataArray,
    params: Params | None = None,
    *,
    max_memory: int | None = None,
    workers: int | None = None,
    progress: Progress = silent,
    seed: int = 0,
    client: Any = None,
    seeds: ArrayLike | Components | Sequence[ArrayLike] | None = None,
) -> Components:
    """Find cells, their traces and the background in a recording.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``, with its frame
        rate; best after motion correction. One patch a worker is in memory at a time.
    params : CnmfParams, CnmfeParams or Cnmf3dParams, optional
        Which engine and how; default ``CnmfParams()``, for volumes ``Cnmf3dParams()``.
    max_memory : int, optional
        Bytes; default a quarter of what is free. Does not change the result.
    workers : int, optional
        Patches worked on at the same time; default as many as there are cores and
        memory for. Does not change the result.
    progress : Progress, optional
        Wraps the loop over steps; it may raise ``Cancelled``.
    seed : int, optional
        For the little that is random.
    client : distributed.Client, optional
        Runs the patches on a cluster.
    seeds : array_like or Components, optional
        Masks to start from instead of a search (seeded CNMF): ``(n, *image_shape)``,
        a labelled image of ``image_shape``, a sparse matrix (n_pixels, n), or the
        components of another extraction.

    Returns
    -------
    Components
        Rejected ones included (``accepted``, ``scores["rejected_because"]``); traces
        ``raw``, ``denoised``, ``residual``, ``dff`` and ``spikes``.

    Raises
    ------
    ParameterError
        If a parameter does not fit the recording, or memory is too small for one patch;
        the text says how much it needs.
    """
    recording = check_recording(as_recording(recording), min_frames=2)
    params = params if params is not None else default_params(recording)
    timer = StepTimer("extract_components", params, inputs=[recording], seed=seed)
    settings = settings_for(recording, params)
    shape = image_shape(recording)
    patches = plan_patches(shape, settings, params)
    n_frames = recording.sizes["frame"]
    needed = _largest(patches, n_frames, settings, params)
    memory = default_max_memory() if max_memory is None else max_memory
    if needed > memory:
        raise ParameterError(
            f"One patch of {patches[0].shape} px and {n_frames} frames needs about "
            f"{needed / 2**20:.0f} MB, but max_memory allows {memory / 2**20:.0f} MB; "
            "allow more, choose a smaller patch_size, or fewer frames."
        )
    at_once = max(
        1, min(workers or os.cpu_count() or 1, memory // needed, len(patches))
    )
    masks = None if seeds is None else read_seeds(seeds, shape)
    border = tuple(edge + params.border_px for edge in filled_border(recording))
    job = _Job(recording, settings, params, shape, border, seed, masks)
    if client is not None:
        results = run_on_cluster(
            client,
            _run_job,
            [(job, patch) for patch in patches],
            progress=progress,
            desc="Extracting components",
        )
    else:
        results = run_patches(
            lambda number, step: job.run(patches[number], step),
            len(patches),
            5 + params.searches * (1 + params.refinement_rounds),
            workers=at_once,
            progress=progress,
            desc="Extracting components",
        )
    components = assemble(patches, results, shape, settings, params)
    if not components.accepted.any():
        _LOG.info("%s", components.scores.attrs.get("advice", ""))
    history = timer.extend(recording.attrs.get("history") or [])
    return dataclasses.replace(components, history=history)


def _largest(
    patches: list[Patch], n_frames: int, settings: Settings, params: Params
) -> int:
    """Return the bytes that the largest patch needs."""
    return max(patch_memory(patch, n_frames, settings, params) for patch in patches)


def estimate_memory(
    recording: xr.DataArray, params: Params | None = None, *, workers: int = 1
) -> int:
    """Return about how many bytes an extraction will need, before it runs.

    That is one patch a worker; the result and the program itself come on top.
    """
    recording = check_recording(as_recording(recording), min_frames=2)
    params = params if params is not None else default_params(recording)
    settings = settings_for(recording, params)
    patches = plan_patches(image_shape(recording), settings, params)
    needed = _largest(patches, recording.sizes["frame"], settings, params)
    return needed * max(1, min(workers, len(patches)))


def params_for(
    recording: xr.DataArray, engine: type[Params] | None = None, *, indicator: str = ""
) -> Params:
    """Return parameters derived from a recording: cell size and, if named, kinetics.

    Parameters
    ----------
    recording : xarray.DataArray
        Its cell size is estimated.
    engine : type, optional
        ``CnmfParams``, ``CnmfeParams`` or ``Cnmf3dParams``; by default what fits the
        dims.
    indicator : str, optional
        A name in ``INDICATORS``, such as ``"GCaMP6f"``.

    Raises
    ------
    ParameterError
        If the indicator is unknown.
    """
    model = engine or type(default_params(recording))
    values: dict[str, float] = {}
    if indicator:
        if indicator not in INDICATORS:
            raise ParameterError(
                f"indicator={indicator!r} is unknown; known are "
                f"{', '.join(INDICATORS)}. Or give decay_time_s and rise_time_s."
            )
        values["rise_time_s"], values["decay_time_s"] = INDICATORS[indicator]
    decay = values.get("decay_time_s", model().decay_time_s)
    values["cell_diameter"] = round(estimate_cell_diameter(recording, decay), 1)
    return model(**values)


def default_params(recording: xr.DataArray) -> Params:
    """Return the params model that fits the recording's dims."""
    return Cnmf3dParams() if "z" in recording.dims else CnmfParams()


def settings_for(recording: xr.DataArray, params: Params) -> Settings:
    """Turn parameters into the recipe's numbers.

    Raises
    ------
    ParameterError
        If parameters and recording do not fit each other.
    """
    volume = "z" in recording.dims
    if isinstance(params, Cnmf3dParams) != volume:
        expected = "Cnmf3dParams" if volume else "CnmfParams or CnmfeParams"
        raise ParameterError(
            f"{type(params).__name__} came with a recording of dims {recording.dims}; "
            f"that needs {expected}."
        )
    if params.method_init == "greedy_roi" and not params.components_per_patch:
        raise ParameterError(
            "components_per_patch=0 with method_init='greedy_roi' asks for no "
            "component; give about how many cells a patch holds (K), for example "
            "30, or use method_init='events', which needs no number."
        )
    frame_rate = require_frame_rate(recording, "Extraction")
    shape = image_shape(recording)
    diameter = _diameter(recording, params)
    if diameter >= min(shape[-2:]):
        raise ParameterError(
            f"cell_diameter={diameter:.3g} px does not fit into a field of "
            f"{shape[-2]} x {shape[-1]} px; give the diameter of one cell in pixels."
        )
    if params.largest_width and params.largest_width < diameter:
        raise ParameterError(
            f"largest_width={params.largest_width:g} px is less than the diameter of a "
            f"cell, {diameter:.3g} px; give more, or 0 for no limit of your own."
        )
    if diameter < _SMALLEST_DIAMETER * params.spatial_downsampling:
        raise ParameterError(
            f"spatial_downsampling={params.spatial_downsampling} makes a cell of "
            f"diameter {diameter:.3g} px smaller than {_SMALLEST_DIAMETER:g} px; use "
            f"at most {max(1, int(diameter / _SMALLEST_DIAMETER))}."
        )
    decay_frames = params.decay_time_s * frame_rate
    if params.temporal_downsampling > max(1.0, 2 * decay_frames):
        raise ParameterError(
            f"temporal_downsampling={params.temporal_downsampling} frames is more than "
            f"twice the decay time of {decay_frames:.3g} frames; events would be lost. "
            f"Use at most {max(1, int(2 * decay_frames))}."
        )
    seconds = recording.sizes["frame"] / frame_rate
    if seconds < 4 * params.decay_time_s:
        raise ParameterError(
            f"The recording lasts {seconds:.3g} s, less than four times "
            f"decay_time_s={params.decay_time_s:g} s; cells can not be told from "
            "noise. Use a longer recording, or check frame_rate and decay_time_s."
        )
    return Settings(
        frame_rate=frame_rate,
        decay_time_s=params.decay_time_s,
        rise_time_s=params.rise_time_s,
        radius=diameter / 2,
        one_photon=isinstance(params, CnmfeParams),
        largest_width=params.largest_width,
        any_shape=params.method_init in ("graph_nmf", "sparse_nmf"),
    )


def _diameter(recording: xr.DataArray, params: Params) -> float:
    """Return the cell diameter in pixels: given in um or pixels, or estimated."""
    if params.cell_diameter_um:
        size = recording.attrs.get("pixel_size_um")
        if size is None:
            raise ParameterError(
                f"cell_diameter_um={params.cell_diameter_um:g} needs the pixel size, "
                "and the recording does not say it; set "
                "recording.attrs['pixel_size_um'] to (y, x) in um, or give "
                "cell_diameter in pixels."
            )
        return params.cell_diameter_um / float(np.sqrt(size[0] * size[1]))
    if params.cell_diameter:
        return params.cell_diameter
    return estimate_cell_diameter(recording, params.decay_time_s)


@dataclasses.dataclass(frozen=True)
class _Job:
    """What the work on any patch needs."""

    recording: xr.DataArray
    settings: Settings
    params: Params
    shape: tuple[int, ...]
    border: tuple[int, ...]
    seed: int
    masks: list[Cell] | None

    def run(self, patch: Patch, step: Step) -> PatchResult:
        """Read a patch and extract its components."""
        step("reading")
        rows = read_rows(self.recording, patch)
        top, bottom, left, right = self.border
        usable = usable_pixels(patch, self.shape, (top, bottom, left, right))
        given = None
        if self.masks is not None:
            given = cells_of_patch(self.masks, patch, self.shape)
        return extract_patch(
            rows,
            patch.shape,
            usable,
            self.settings,
            self.params,
            seed=self.seed,
            given=given,
            check=step,
        )


def _run_job(job: _Job, patch: Patch) -> PatchResult:
    return job.run(patch, lambda step: None)
