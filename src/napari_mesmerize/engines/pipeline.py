"""The main job in one call: motion correction, extraction, a sample of a project."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize import cnmf, motion
from napari_mesmerize.compute.resources import Usage, measure
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import check_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.params import parse_params
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.transforms.projections import project as project_image

MOTION_PARAMS = {"rigid": motion.RigidParams, "piecewise": motion.PiecewiseParams}
EXTRACTION_PARAMS: dict[str, type[cnmf.Params]] = {
    "cnmf": cnmf.CnmfParams,
    "cnmfe": cnmf.CnmfeParams,
    "cnmf3d": cnmf.Cnmf3dParams,
}


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
    motion: motion.MotionResult | None
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
        ``"rigid"``, ``"piecewise"`` or ``"none"``.
    extraction_engine : str, optional
        ``"cnmf"`` (of volumes: ``"cnmf3d"``), ``"cnmfe"``, ``"cnmf3d"`` or ``"none"``.
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
            result = motion.correct_motion(
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
            components = cnmf.extract_components(
                corrected, chosen["extract"], max_memory=max_memory, progress=progress
            )
        usages.append(usage)
    return Processed(corrected, result, components, projections, usages)


def prepare(
    recording: xr.DataArray,
    motion_engine: str,
    extraction_engine: str,
    params: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the params models of both steps; find before the work what would fail.

    Raises
    ------
    ParameterError
        If the recording, an engine or a parameter can not be used.
    """
    check_recording(recording)
    if extraction_engine == "cnmf" and recording.ndim == 4:
        extraction_engine = "cnmf3d"
    chosen = engine_params(motion_engine, extraction_engine, params or {})
    if chosen["extract"] is not None:
        try:
            cnmf.check_params(recording, chosen["extract"])
        except ParameterError as error:
            raise ParameterError(
                f"{error} Or leave the extraction out ('none'); the motion is then "
                "corrected and the result is kept."
            ) from error
    return chosen


def engine_params(
    motion_engine: str,
    extraction_engine: str,
    params: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the params models of both steps; ``None`` for a step that is left out.

    Raises
    ------
    ParameterError
        If an engine, a section or a parameter is unknown.
    """
    unknown = set(params) - {"motion", "extract"}
    if unknown:
        raise ParameterError(
            f"Parameters have sections {sorted(unknown)}; expected 'motion' and "
            "'extract', for instance "
            '{"motion": {"max_shift": 12}, "extract": {"cell_diameter": 10}}.'
        )
    chosen: dict[str, Any] = {}
    for section, engine, models in (
        ("motion", motion_engine, MOTION_PARAMS),
        ("extract", extraction_engine, EXTRACTION_PARAMS),
    ):
        if engine == "none":
            chosen[section] = None
        elif engine in models:
            chosen[section] = parse_params(models[engine], params.get(section, {}))
        else:
            raise ParameterError(
                f"'{engine}' is no engine for '{section}'; choose one of "
                f"{', '.join([*models, 'none'])}."
            )
    return chosen
