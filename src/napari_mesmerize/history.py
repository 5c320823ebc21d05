"""What was done to a datum: a list of steps, JSON-safe, that travels with it."""

import functools
import importlib.metadata
import platform
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, Field

_VERSIONED = ("napari-mesmerize", "numpy", "scipy", "xarray", "numba")


class Step(BaseModel, frozen=True, extra="forbid"):
    """One operation in the history of a datum.

    Attributes
    ----------
    id : str
        UUID of this step.
    operation : str
        Name of the operation, such as ``correct_motion``.
    params : dict
        Its parameters, JSON-safe.
    inputs : list of str
        Ids of the steps, or URIs of the files, that the operation took its data from.
    versions : dict
        Versions of Python, of this package and of the libraries that compute.
    seed : int or None
        Seed of the random numbers, where the operation draws any.
    started : str
        ISO 8601, UTC.
    duration_s : float
        Seconds from start to end.
    """

    operation: str
    params: dict[str, Any] = Field(default_factory=dict)
    inputs: list[str] = Field(default_factory=list)
    id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    versions: dict[str, str] = Field(default_factory=dict)
    seed: int | None = None
    started: str = ""
    duration_s: float = 0.0


class StepTimer:
    """Time an operation and make its :class:`Step`.

    Parameters
    ----------
    operation : str
        Name of the operation.
    params : BaseModel or mapping, optional
        Its parameters.
    inputs : iterable, optional
        The data it uses: recordings, components, or ids.
    seed : int, optional
        Seed of its random numbers.

    Notes
    -----
    Make it before the work, and call :meth:`extend` after it. Functions of this package
    do so themselves; use it for an operation of your own, so that the history stays
    complete.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.history import StepTimer
    >>> recording = as_recording(np.ones((5, 8, 8)), frame_rate=10)
    >>> timer = StepTimer("double", {"factor": 2}, inputs=[recording])
    >>> doubled = as_recording(2 * recording.to_numpy(), frame_rate=10)
    >>> doubled.attrs["history"] = timer.extend(recording.attrs["history"])
    >>> doubled.attrs["history"][-1]["operation"]
    'double'
    """

    def __init__(
        self,
        operation: str,
        params: BaseModel | Mapping[str, Any] | None = None,
        *,
        inputs: Iterable[Any] = (),
        seed: int | None = None,
    ) -> None:
        self._operation = operation
        self._params = json_safe(params if params is not None else {})
        self._inputs = [identify(datum) for datum in inputs]
        self._seed = seed
        self._started = datetime.now(UTC)
        self._clock = time.perf_counter()

    def done(self) -> Step:
        """End the timing and return the step."""
        return Step(
            operation=self._operation,
            params=self._params,
            inputs=self._inputs,
            versions=versions(),
            seed=self._seed,
            started=self._started.isoformat(timespec="milliseconds"),
            duration_s=round(time.perf_counter() - self._clock, 6),
        )

    def extend(self, history: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return a copy of ``history`` with this step, ended now, at its end."""
        return [*(dict(step) for step in history), self.done().model_dump(mode="json")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to release; ``with`` only marks what is timed."""


def identify(datum: Any) -> str:
    """Return the id by which a history names a datum.

    This is the id of the last step of its history. Without a history it is the URI of
    its source, and without a source the name of its type. Strings stand for themselves.

    Parameters
    ----------
    datum : object
        A recording, components, a step or a string.

    Returns
    -------
    str
        The id.

    Notes
    -----
    Use it for ``inputs`` of a step that you write yourself; :class:`StepTimer` calls
    it.

    Examples
    --------
    >>> from napari_mesmerize.history import identify
    >>> identify("file:///data/movie.tif")
    'file:///data/movie.tif'
    """
    if isinstance(datum, str):
        return datum
    attrs = getattr(datum, "attrs", None) or {}
    history = getattr(datum, "history", None) or attrs.get("history") or []
    if history:
        last = history[-1]
        return str(last["id"] if isinstance(last, Mapping) else last.id)
    source = attrs.get("source") or {}
    return str(source.get("uri") or type(datum).__name__)


def parse_history(history: Iterable[Mapping[str, Any]]) -> list[Step]:
    """Return the steps of a JSON-safe history as objects.

    Parameters
    ----------
    history : iterable of mapping
        As in ``recording.attrs["history"]`` or ``components.history``.

    Returns
    -------
    list of Step
        The steps, oldest first.

    Raises
    ------
    pydantic.ValidationError
        If a step has unknown fields or lacks its operation.

    Notes
    -----
    Use it to read a history with attributes instead of keys. To write one back, use
    ``step.model_dump(mode="json")``.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> from napari_mesmerize.history import parse_history
    >>> recording, _ = simulate("2p-small", seed=1, shape=(40, 32, 32), n_cells=2)
    >>> (step,) = parse_history(recording.attrs["history"])
    >>> step.operation, step.seed
    ('simulate', 1)
    """
    return [Step.model_validate(step) for step in history]


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for name in _VERSIONED:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found)


def versions() -> dict[str, str]:
    """Return the versions of Python, this package and the libraries that compute.

    Returns
    -------
    dict of str to str
        Version by name; libraries that are not installed are left out.

    Notes
    -----
    Use it in reports and bug reports; the command ``napari-mesmerize doctor`` tells
    more.

    Examples
    --------
    >>> from napari_mesmerize.history import versions
    >>> "numpy" in versions()
    True
    """
    return dict(_versions())


def json_safe(value: Any) -> Any:
    """Return ``value`` with only what JSON holds (NaN and infinity become ``None``).

    Parameters
    ----------
    value : object
        Anything: models, arrays, mappings, sets, dates.

    Returns
    -------
    object
        Dicts, lists, text, numbers, booleans and ``None`` alone.

    Notes
    -----
    Use it for metadata. It loses information (arrays become lists, NaN becomes
    ``None``, what is unknown becomes text), so do not use it to store data.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.history import json_safe
    >>> json_safe({"shape": (3, 4), "noise": np.float32(np.nan), "n": np.int64(5)})
    {'shape': [3, 4], 'noise': None, 'n': 5}
    """
    if isinstance(value, BaseModel):
        return json_safe(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return json_safe(value.tolist())
    if isinstance(value, np.longdouble):
        return json_safe(float(value))
    if isinstance(value, np.generic) and not isinstance(value, np.clongdouble):
        return json_safe(value.item())
    if isinstance(value, set | frozenset):
        return sorted((json_safe(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
