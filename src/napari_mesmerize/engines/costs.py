"""Rough estimates of what a run takes, from sizes and parameters alone.

Processor time is pixel-frames (pixels of an image times frames) times nanoseconds that
were measured on simulated recordings, one thread of a shared server. Other
processors, denser tissue and larger cells change it by a factor of two or three; a run
on several threads takes about as much processor time, spread over them.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import xarray as xr

from napari_mesmerize.data.recording import image_shape
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams, resolve

if TYPE_CHECKING:
    from napari_mesmerize.cnmf.params import Params

_TYPICAL_CELL = 10.0  # px, where the diameter would be estimated from the pixels
# nanoseconds of one core for a pixel-frame
_RIGID, _FIELD, _REFINE = 22.0, 50.0, 20.0
_TEMPLATE = 12.0  # of each template frame, each round
_SEARCHING, _REFINEMENT = 45.0, 16.0  # the whole search; each round of updates
_VOLUMES = 2.0  # times as much in volumes
_SPARE = 100 * 2**20  # bytes: images, tables of frames, compiled code


class Cost(NamedTuple):
    """About what a run takes.

    Attributes
    ----------
    memory_bytes : int
        Memory on one thread, beside that of the program and of the result.
    cpu_seconds : float
        Processor time, of all threads together.
    """

    memory_bytes: int
    cpu_seconds: float


def motion_cost(recording: xr.DataArray, params: RigidParams) -> Cost:
    """Estimate a motion correction that reads all corrected frames once.

    Memory: batches of frames, the frames that make the template, and its tables.
    """
    from napari_mesmerize.motion.source import Source, make_schedule

    shape = image_shape(recording)
    settings = resolve(params, shape)
    n_frames, n_pixels = int(recording.sizes["frame"]), math.prod(shape)
    n_template = min(settings.template_frames, n_frames)
    piecewise = isinstance(params, PiecewiseParams)
    each = _FIELD if piecewise else _RIGID
    each += _REFINE if isinstance(params, PiecewiseParams) and params.refine else 0
    each *= _VOLUMES if len(shape) == 3 else 1
    work = each * n_frames + _TEMPLATE * settings.rounds * n_template
    schedule = make_schedule(Source(recording), None, 1)
    n_tables = settings.phases_z * settings.phases**2 * (1 + settings.n_axes)
    canvas = math.prod(
        size + 2 * pad
        for size, pad in zip(settings.frame_shape, settings.pads, strict=True)
    )
    held = 2 * min(schedule.batch_size, n_frames) + 6 * schedule.unit + n_template
    return Cost(
        int(4 * n_pixels * held + 4 * n_tables * canvas + _SPARE),
        1e-9 * n_pixels * work,
    )


def extraction_cost(recording: xr.DataArray, params: "Params") -> Cost:
    """Estimate an extraction; where the cell diameter is 0, for cells of 10 px.

    Memory is that of the largest patch.
    """
    from napari_mesmerize.cnmf.patches.plan import largest_memory, plan_patches
    from napari_mesmerize.cnmf.resolve import settings_for

    known: dict[str, Any] = {}
    if not params.cell_diameter and not params.cell_diameter_um:
        known["cell_diameter"] = min(_TYPICAL_CELL, min(recording.shape[-2:]) - 1)
    settings = settings_for(recording, params.model_copy(update=known))
    n_frames, shape = int(recording.sizes["frame"]), image_shape(recording)
    patches = plan_patches(shape, settings, params, n_frames)
    n_pixels = sum(math.prod(patch.shape) for patch in patches)
    rounds = params.searches * params.refinement_rounds + 1
    each = _SEARCHING + _REFINEMENT * rounds
    each *= _VOLUMES if len(shape) == 3 else 1
    memory = largest_memory(patches, n_frames, settings, params)
    return Cost(memory, 1e-9 * each * n_pixels * n_frames)
