"""The table of engines: what there is, what each one needs, and about what it costs.

Whatever offers engines reads them here: the chain, the command line, the docks. Their
code is imported when one is checked or run, so that reading the table costs little.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import xarray as xr
from pydantic import BaseModel

from napari_mesmerize.cnmf.params import Cnmf3dParams, CnmfeParams, CnmfParams
from napari_mesmerize.engines.costs import Cost, extraction_cost, motion_cost
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams, resolve

Step = Literal["motion", "extract"]
_EXTRACTION_FIELDS = (
    "cell_diameter",
    "decay_time_s",
    "rise_time_s",
    "min_snr",
    "min_shape",
)


@dataclass(frozen=True)
class Engine:
    """A line of the table.

    Attributes
    ----------
    name : str
        What commands and scripts call it.
    step : {"motion", "extract"}
        What it does: recording -> motion, or recording -> components.
    title : str
        What a window shows.
    params : type
        Its params model; no other engine has the same.
    function : callable
        ``function(recording, params, *, max_memory, progress, ...)``; keywords beyond
        these are those of the function that it calls.
    first_fields : tuple of str
        Parameters that a form shows at once; the others fold away.
    costs : callable
        ``costs(recording, params)`` estimates what a run takes.
    check_own : callable
        ``check_own(recording, params)`` raises ``ParameterError`` where they do not fit
        each other; it reads no pixels.
    planes, volumes : bool
        Whether it takes recordings (frame, y, x), and (frame, z, y, x).
    needs_frame_rate : bool
        Whether the recording's frame rate has to be known.
    for_volumes : str
        The engine that takes its place where the recording is of volumes.
    extra : str
        Extra of this package that it needs, as in ``napari-mesmerize[extra]``.
    modules : tuple of str
        Modules that this extra brings.
    """

    name: str
    step: Step
    title: str
    params: type[BaseModel]
    function: Callable[..., Any]
    first_fields: tuple[str, ...]
    costs: Callable[[xr.DataArray, Any], Cost]
    check_own: Callable[[xr.DataArray, Any], object]
    planes: bool = True
    volumes: bool = False
    needs_frame_rate: bool = False
    for_volumes: str = ""
    extra: str = ""
    modules: tuple[str, ...] = ()

    def takes(self, recording: xr.DataArray) -> bool:
        """Say whether a recording has the dims that this engine takes."""
        return self.volumes if "z" in recording.dims else self.planes

    def check(self, recording: xr.DataArray, params: BaseModel | None = None) -> None:
        """Find what would make a run fail, without reading pixels.

        Raises
        ------
        ParameterError
            If recording, parameters and what is installed do not fit each other.
        """
        missing = [name for name in self.modules if not _is_installed(name)]
        if missing:
            raise ParameterError(
                f"The engine '{self.name}' needs {', '.join(missing)}: "
                f"pip install 'napari-mesmerize[{self.extra}]'"
            )
        if not self.takes(recording):
            others = [one.name for one in engines(self.step) if one.takes(recording)]
            raise ParameterError(
                f"The engine '{self.name}' does not take a recording of dims "
                f"{tuple(recording.dims)}; choose one of {', '.join(others)}."
            )
        self.check_own(recording, self._own(params))

    def run(
        self, recording: xr.DataArray, params: BaseModel | None = None, **options: Any
    ) -> Any:
        """Call the engine's function.

        Parameters
        ----------
        recording : xarray.DataArray
            What to work on.
        params : pydantic.BaseModel, optional
            Of the type that ``params`` names; default its defaults.
        **options
            Keywords of the function, such as ``max_memory`` and ``progress``.

        Raises
        ------
        ParameterError
            If the params are of another engine, or do not fit the recording.
        """
        return self.function(recording, self._own(params), **options)

    def estimate(
        self, recording: xr.DataArray, params: BaseModel | None = None
    ) -> Cost:
        """Return about what a run takes: memory and processor time.

        Notes
        -----
        Rough, on purpose: pixel-frames times a factor that was measured once, see
        :mod:`napari_mesmerize.engines.costs`. Good for telling seconds from minutes
        and hours. No pixels are read.
        """
        return self.costs(recording, self._own(params))

    def _own(self, params: BaseModel | None) -> BaseModel:
        if params is None:
            return self.params()
        if type(params) is not self.params:
            raise ParameterError(
                f"{type(params).__name__} came; the engine '{self.name}' takes "
                f"{self.params.__name__}."
            )
        return params


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _correct(recording: xr.DataArray, params: RigidParams, **options: Any) -> Any:
    from napari_mesmerize.motion import correct_motion

    return correct_motion(recording, params, **options)


def _check_motion(recording: xr.DataArray, params: RigidParams) -> None:
    resolve(params, tuple(recording.shape[1:]))


def _extract(recording: xr.DataArray, params: Any, **options: Any) -> Any:
    from napari_mesmerize.cnmf import extract_components

    return extract_components(recording, params, **options)


def _check_extraction(recording: xr.DataArray, params: Any) -> None:
    from napari_mesmerize.cnmf import check_params

    check_params(recording, params)


_MOTION: dict[str, Any] = {
    "step": "motion",
    "function": _correct,
    "costs": motion_cost,
    "check_own": _check_motion,
    "volumes": True,
}
_EXTRACTION: dict[str, Any] = {
    "step": "extract",
    "function": _extract,
    "costs": extraction_cost,
    "check_own": _check_extraction,
    "first_fields": _EXTRACTION_FIELDS,
    "needs_frame_rate": True,
}

ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            name="rigid",
            title="Rigid: one shift a frame",
            params=RigidParams,
            first_fields=("max_shift", "cell_diameter", "border"),
            **_MOTION,
        ),
        Engine(
            name="piecewise",
            title="Piecewise: for tissue that bends",
            params=PiecewiseParams,
            first_fields=(
                "max_shift",
                "cell_diameter",
                "max_deviation",
                "strides",
                "overlaps",
            ),
            **_MOTION,
        ),
        Engine(
            name="cnmf",
            title="CNMF (two-photon)",
            params=CnmfParams,
            for_volumes="cnmf3d",
            **_EXTRACTION,
        ),
        Engine(
            name="cnmfe",
            title="CNMF-E (one-photon)",
            params=CnmfeParams,
            **_EXTRACTION,
        ),
        Engine(
            name="cnmf3d",
            title="CNMF 3-D (volumes)",
            params=Cnmf3dParams,
            planes=False,
            volumes=True,
            **_EXTRACTION,
        ),
    )
}


def engines(step: Step) -> list[Engine]:
    """Return the engines of a step, in the order in which they are offered."""
    return [engine for engine in ENGINES.values() if engine.step == step]


def engine_names(step: Step) -> list[str]:
    """Return the names of the engines of a step, in the order of the table."""
    return [engine.name for engine in engines(step)]


def find_engine(step: str, name: str, *, or_else: Sequence[str] = ()) -> Engine:
    """Return an engine by its name.

    Parameters
    ----------
    step : {"motion", "extract"}
        What it has to do.
    name : str
        Its name.
    or_else : sequence of str, optional
        Other words that could have stood there; the error lists them, too.

    Raises
    ------
    ParameterError
        If no engine of this step has that name; the text lists those that there are.
    """
    engine = ENGINES.get(name)
    if engine is None or engine.step != step:
        known = [*engine_names(cast(Step, step)), *or_else]
        raise ParameterError(
            f"'{name}' is no engine for '{step}'; choose one of {', '.join(known)}."
        )
    return engine


def engine_of(params: BaseModel) -> Engine:
    """Return the engine that parameters belong to.

    Raises
    ------
    ParameterError
        If they are of no engine.
    """
    for engine in ENGINES.values():
        if engine.params is type(params):
            return engine
    known = ", ".join(engine.params.__name__ for engine in ENGINES.values())
    raise ParameterError(
        f"{type(params).__name__} are the parameters of no engine; expected one of "
        f"{known}."
    )
