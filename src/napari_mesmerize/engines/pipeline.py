"""The main job in one call: motion correction, extraction, a sample of a project."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel

from napari_mesmerize.compute.resources import Usage, measure
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import check_recording
from napari_mesmerize.engines.table import ENGINES, Step, engine_of, find_engine
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.params import parse_params
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.transforms.projections import project as project_image

if TYPE_CHECKING:
    from napari_mesmerize.motion import MotionResult

_STEPS: tuple[Step, ...] = ("motion", "extract")
NONE = "none"  # instead of an engine's name: the step is left out


@dataclass(frozen=True)
class Processed:
    """What the chain made of a recording.

    Attributes
    ----------
    recording : xarray.DataArray
        The corrected recording, or the raw one if no motion was corrected.
    motion : MotionResult or None
        Shifts, template and quality.
    components : Components or None
        What was found.
    projections : dict of str to numpy.ndarray
        ``mean``, ``max``, ``std``, ``correlation`` of ``recording``, and ``mean_raw``.
    usages : list of Usage
        What each step cost.
    """

    recording: xr.DataArray
    motion: "MotionResult | None"
    components: Components | None
    projections: dict[str, NDArray[np.float32]]
    usages: list[Usage] = field(default_factory=list)


def process(
    recording: xr.DataArray,
    *,
    motion_engine: str = "rigid",
    extraction_engine: str = "cnmf",
    params: Mapping[str, Mapping[str, Any]] | None = None,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> Processed:
    """Correct the motion of a recording, extract components, and project it.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``.
    motion_engine : str, optional
        A name in ``ENGINES``, such as ``"rigid"``, or ``"none"``.
    extraction_engine : str, optional
        A name in ``ENGINES``, such as ``"cnmf"``, or ``"none"``. Volumes get the engine
        for volumes: ``"cnmf3d"`` instead of ``"cnmf"``.
    params : mapping, optional
        Parameters of the engines: ``{"motion": {...}, "extract": {...}}``; what is left
        out keeps its default.
    max_memory : int, optional
        Bytes that each step may use; default a quarter of what is free.
    progress : Progress, optional
        Wraps the loops of each step.

    Raises
    ------
    ParameterError
        If an engine or a parameter is unknown, or the recording can not be used.
    """
    chosen = prepare(recording, motion_engine, extraction_engine, params)
    usages: list[Usage] = []
    result, corrected, projections = None, recording, {}
    if chosen["motion"] is not None:
        with measure("motion correction") as usage:
            result = engine_of(chosen["motion"]).run(
                recording, chosen["motion"], max_memory=max_memory, progress=progress
            )
        usages.append(usage)
        corrected = result.recording
    with measure("projections") as usage:
        projections = project_image(corrected, max_memory=max_memory, progress=progress)
        if result is not None:
            raw = project_image(recording, ("mean",), max_memory=max_memory)
            projections["mean_raw"] = raw["mean"]
    usages.append(usage)
    components = None
    if chosen["extract"] is not None:
        with measure("extraction") as usage:
            components = engine_of(chosen["extract"]).run(
                corrected, chosen["extract"], max_memory=max_memory, progress=progress
            )
        usages.append(usage)
    return Processed(corrected, result, components, projections, usages)


def prepare(
    recording: xr.DataArray,
    motion_engine: str,
    extraction_engine: str,
    params: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[Step, BaseModel | None]:
    """Return the params models of both steps; find before the work what would fail.

    Raises
    ------
    ParameterError
        If the recording, an engine or a parameter can not be used.
    """
    check_recording(recording)
    wanted = ENGINES.get(extraction_engine)
    if wanted is not None and wanted.for_volumes and not wanted.takes(recording):
        extraction_engine = wanted.for_volumes
    chosen = engine_params(motion_engine, extraction_engine, params or {})
    for step, own in chosen.items():
        if own is not None:
            _check(step, recording, own)
    return chosen


def _check(step: Step, recording: xr.DataArray, params: BaseModel) -> None:
    try:
        engine_of(params).check(recording, params)
    except ParameterError as error:
        if step == "motion":
            raise
        raise ParameterError(
            f"{error} Or leave the extraction out ('none'); the motion is then "
            "corrected and the result is kept."
        ) from error


def engine_params(
    motion_engine: str,
    extraction_engine: str,
    params: Mapping[str, Mapping[str, Any]],
) -> dict[Step, BaseModel | None]:
    """Return the params models of both steps; ``None`` for a step that is left out.

    Raises
    ------
    ParameterError
        If an engine, a section or a parameter is unknown.
    """
    unknown = set(params) - set(_STEPS)
    if unknown:
        raise ParameterError(
            f"Parameters have sections {sorted(unknown)}; expected 'motion' and "
            "'extract', for instance "
            '{"motion": {"max_shift": 12}, "extract": {"cell_diameter": 10}}.'
        )
    chosen: dict[Step, BaseModel | None] = {}
    for step, name in zip(_STEPS, (motion_engine, extraction_engine), strict=True):
        if name == NONE:
            chosen[step] = None
        else:
            model = find_engine(step, name, or_else=[NONE]).params
            chosen[step] = parse_params(model, params.get(step, {}))
    return chosen
