"""Extract components from a recording: checks, patches, and the result put together."""

import contextlib
import dataclasses
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from numpy.typing import ArrayLike

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.params import Params
from napari_mesmerize.cnmf.patches.assemble import assemble
from napari_mesmerize.cnmf.patches.border import filled_border
from napari_mesmerize.cnmf.patches.finished import FinishedPatches
from napari_mesmerize.cnmf.patches.given_masks import make_room, read_seeds
from napari_mesmerize.cnmf.patches.patch_job import Job, work_elsewhere
from napari_mesmerize.cnmf.patches.plan import (
    MARGIN_RADII,
    Patch,
    largest_memory,
    plan_patches,
)
from napari_mesmerize.cnmf.patches.recipe import PatchResult
from napari_mesmerize.cnmf.patches.run_patches import Step, run_patches
from napari_mesmerize.cnmf.resolve import default_params, settings_for
from napari_mesmerize.cnmf.settings import Settings
from napari_mesmerize.compute.cached import held
from napari_mesmerize.compute.cluster import computed, n_threads
from napari_mesmerize.compute.memory import Budget
from napari_mesmerize.compute.resources import one_blas_thread
from napari_mesmerize.compute.resume import work_key
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import (
    as_recording,
    check_recording,
    image_shape,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.progress import Progress, silent

_LOG = logging.getLogger(__name__)
WORK_VERSION = 1  # of the computation: finished patches of another are not used


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
    resume_dir: str | Path | None = None,
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
        Patches that are extracted at the same time; by default as many as cores and
        memory allow. Does not change the result.
    progress : Progress, optional
        Wraps the loop over steps; it may raise ``Cancelled``.
    seed : int, optional
        Seed of the random numbers; few steps use any.
    client : distributed.Client, optional
        Computes the patches on a cluster; pixels are read here. Does not change the
        result.
    seeds : array_like or Components, optional
        Masks to start from instead of a search (seeded CNMF): ``(n, *image_shape)``,
        a labelled image of ``image_shape``, a sparse matrix (n_pixels, n), or the
        components of another extraction. Each becomes one component, in their order.
    resume_dir : str or Path, optional
        A folder for finished patches. If the run is cancelled or killed, the same call
        continues from there. The folder is removed at the end.

    Returns
    -------
    Components
        All components, rejected ones included (see ``accepted`` and
        ``scores["rejected_because"]``), with the traces ``raw``, ``denoised``,
        ``residual``, ``dff`` and ``spikes``.

    Raises
    ------
    ParameterError
        If a parameter does not fit the recording, or memory is too small for one patch;
        the text says how much it needs.

    Notes
    -----
    Correct the motion first. Give ``CnmfeParams()`` for one-photon recordings: the
    default is for two-photon. Try parameters on a part with
    :func:`~napari_mesmerize.cnmf.preview.preview_components`. Thresholds of acceptance
    need no new run: use :func:`~napari_mesmerize.cnmf.evaluate`. For ROIs that you
    drew, whose pixels must stay as they are, use
    :func:`~napari_mesmerize.extract_traces`. The methods are those of
    :doi:`10.1016/j.neuron.2015.11.037` (CNMF) and :doi:`10.7554/eLife.28728` (CNMF-E).

    Examples
    --------
    >>> from napari_mesmerize import extract_components, simulate
    >>> recording, truth = simulate("2p-small", seed=1, shape=(150, 48, 48), n_cells=4)
    >>> components = extract_components(recording)
    >>> components.n_frames, components.image_shape
    (150, (48, 48))
    >>> len(components) > 0, components.accepted.dtype
    (True, dtype('bool'))
    """
    recording = check_recording(as_recording(recording), min_frames=2)
    params = params if params is not None else default_params(recording)
    timer = StepTimer("extract_components", params, inputs=[recording], seed=seed)
    settings = settings_for(recording, params)
    shape = image_shape(recording)
    masks = None if seeds is None else read_seeds(seeds, shape)
    n_frames = recording.sizes["frame"]
    patches = _plan(shape, n_frames, settings, params, masks)
    needed = largest_memory(patches, n_frames, settings, params)
    if client is not None and workers is None:
        workers = len(patches)  # the cluster says how many
    budget = Budget.of(max_memory, workers)
    if needed > budget.memory:
        largest = max(patches, key=lambda patch: math.prod(patch.shape))
        raise ParameterError(
            f"One patch of {largest.shape[0]} x {largest.shape[1]} px and "
            f"{recording.sizes['frame']} frames needs about {needed / 2**20:.0f} MB, "
            f"but max_memory allows {budget.memory / 2**20:.0f} MB; allow more, choose "
            "a smaller patch_size, or fewer frames."
        )
    top, bottom, left, right = (e + params.border_px for e in filled_border(recording))
    border = (top, bottom, left, right)
    job = Job(recording, settings, params, shape, border, seed, masks)
    finished = None
    if resume_dir is not None:
        finished = FinishedPatches(Path(resume_dir), _key(job))
    at_once = budget.at_once(needed, len(patches))
    room = budget.memory - at_once * needed
    with one_blas_thread(), _held(recording, patches, room, progress) as kept:
        job = dataclasses.replace(job, recording=kept)
        results = _run(job, patches, finished, at_once, client, progress)
    components = assemble(patches, results, shape, settings, params)
    if not components.accepted.any():
        _LOG.info("%s", components.scores.attrs.get("advice", ""))
    history = timer.extend(recording.attrs.get("history") or [])
    if finished is not None:
        finished.remove()
    return dataclasses.replace(components, history=history)


def _held(
    recording: xr.DataArray, patches: list[Patch], room: int, progress: Progress
) -> contextlib.AbstractContextManager[xr.DataArray]:
    """Return the recording to read patches from; a single one reads it once."""
    if len(patches) == 1:
        return contextlib.nullcontext(recording)
    return held(recording, room, progress=progress)


def _plan(
    shape: tuple[int, ...],
    n_frames: int,
    settings: Settings,
    params: Params,
    masks: list[Cell] | None,
) -> list[Patch]:
    """Return the patches; each given mask lies whole in one of them."""
    patches = plan_patches(shape, settings, params, n_frames)
    if masks is None:
        return patches
    margin = math.ceil(MARGIN_RADII * settings.radius)
    return make_room(patches, masks, shape, margin)


def _run(
    job: Job,
    patches: list[Patch],
    finished: FinishedPatches | None,
    at_once: int,
    client: Any,
    progress: Progress,
) -> list[PatchResult]:
    """Work on the patches that are not finished; return the results of all."""
    results: list[PatchResult | None] = [None] * len(patches)
    if finished is not None:
        results = [finished.load(number) for number in range(len(patches))]
    open_ones = [number for number, result in enumerate(results) if result is None]

    def keep(place: int, result: PatchResult) -> None:
        results[open_ones[place]] = result
        if finished is not None:
            finished.save(open_ones[place], result)

    def here(place: int, step: Step) -> None:
        keep(place, job.run(patches[open_ones[place]], step))

    desc = "Extracting components"
    if client is None:
        run_patches(
            here,
            len(open_ones),
            5 + job.params.searches * (1 + job.params.refinement_rounds),
            workers=min(at_once, max(1, len(open_ones))),
            progress=progress,
            desc=desc,
        )
    else:
        elsewhere = computed(
            client,
            work_elsewhere,
            job.detached(),
            [patches[number] for number in open_ones],
            job.read,
            at_once=min(at_once, n_threads(client) + 1),
        )
        for place, result in progress(elsewhere, desc=desc, total=len(open_ones)):
            keep(place, result)
    return [result for result in results if result is not None]


def _key(job: Job) -> str:
    """Return what identifies the work on a recording."""
    recording = job.recording
    assert recording is not None
    facts = {
        "settings": dataclasses.asdict(job.settings),
        "border": job.border,
        "seed": job.seed,
    }
    masks = [part for cell in job.masks or [] for part in (cell.pixels, cell.weights)]
    return work_key(recording, job.params, WORK_VERSION, facts=facts, arrays=masks)


def estimate_memory(
    recording: xr.DataArray, params: Params | None = None, *, workers: int = 1
) -> int:
    """Return about how many bytes an extraction will need, before it runs.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording; no pixel is read if the cell diameter is given.
    params : CnmfParams, CnmfeParams or Cnmf3dParams, optional
        As for :func:`extract_components`.
    workers : int, optional
        Patches worked on at the same time.

    Returns
    -------
    int
        Bytes: one patch for each worker. The result and the program itself come on top.

    Raises
    ------
    ParameterError
        If the parameters do not fit the recording.

    Notes
    -----
    Use it before a long run on a shared machine. If it is too much, lower ``workers``
    first, then give a smaller ``patch_size``.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import CnmfParams, as_recording
    >>> from napari_mesmerize.cnmf import estimate_memory
    >>> recording = as_recording(np.zeros((1000, 128, 128), np.uint8), frame_rate=15)
    >>> params = CnmfParams(cell_diameter=10)
    >>> 50 < estimate_memory(recording, params) / 2**20 < 1000  # MB
    True
    """
    recording = check_recording(as_recording(recording), min_frames=2)
    params = params if params is not None else default_params(recording)
    settings = settings_for(recording, params)
    n_frames = recording.sizes["frame"]
    patches = plan_patches(image_shape(recording), settings, params, n_frames)
    needed = largest_memory(patches, n_frames, settings, params)
    return needed * max(1, min(workers, len(patches)))
