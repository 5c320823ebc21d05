"""The project's configuration: tags, stimulus types, custom columns, what shows."""

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
from pydantic import BaseModel, Field, ValidationError, model_validator

from napari_mesmerize.errors import ParameterError, ProjectError
from napari_mesmerize.params import explain_validation
from napari_mesmerize.project import backups
from napari_mesmerize.project.json_files import Remedy, read_json, write_json, writing
from napari_mesmerize.project.locks import locked
from napari_mesmerize.project.names import check_column

FORMAT = "napari-mesmerize project"
FORMAT_VERSION = 1
UNTAGGED = ""

ColumnType = Literal["str", "int", "float", "bool"]
_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_WRITTEN: dict[Any, ColumnType] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    "text": "str",
    "string": "str",
    "int64": "int",
    "float64": "float",
    "boolean": "bool",
}
_EMPTY: dict[str, Any] = {"str": "", "int": 0, "float": math.nan, "bool": False}
_DTYPES = {"str": "object", "int": "int64", "float": "float64", "bool": "bool"}
_OWN = (
    "sample_id",
    "animal_id",
    "trial_id",
    "date",
    "comments",
    "frame_rate",
    "n_frames",
    "roi_id",
    "kind",
    "outline",
    "accepted",
)


class CustomColumn(BaseModel, frozen=True, extra="forbid"):
    """A column that every sample has a value of.

    Attributes
    ----------
    name : str
        Name of the column.
    dtype : str
        ``str``, ``int``, ``float`` or ``bool``; can not be changed later.
    default : object
        Value of samples that were not given one.
    """

    name: str
    dtype: ColumnType = "str"
    default: Any = None

    @model_validator(mode="after")
    def _fit_default(self) -> Self:
        object.__setattr__(self, "default", self.convert(self.default))
        return self

    def convert(self, value: Any) -> Any:
        """Return ``value`` as this column holds it; None gives the empty value.

        Raises
        ------
        ParameterError
            If it is of another type and can not be held without a loss.
        """
        if value is None:
            return _EMPTY[self.dtype]
        if hasattr(value, "item"):  # a numpy scalar
            value = value.item()
        fits = isinstance(value, _TYPES[self.dtype]) and not (
            self.dtype == "int" and isinstance(value, bool)
        )
        if self.dtype == "float" and isinstance(value, int) and not fits:
            fits = not isinstance(value, bool)
        if self.dtype == "int" and isinstance(value, float) and value.is_integer():
            fits = abs(value) < 2**53
        if fits and self.dtype == "int" and not -(2**63) <= value < 2**63:
            fits = False
        if not fits:
            raise ParameterError(
                f"Column {self.name!r} holds {self.dtype}; {value!r} is of type "
                f"{type(value).__name__}. Give a value of type {self.dtype}."
            )
        return _TYPES[self.dtype](value)

    def to_json(self, value: Any) -> Any:
        """Return a value as the files hold it: NaN is null."""
        return None if isinstance(value, float) and not math.isfinite(value) else value

    @property
    def pandas_dtype(self) -> str:
        """The dtype of the column in a table."""
        return _DTYPES[self.dtype]


class Config(BaseModel, frozen=True, extra="allow"):
    """What ``mesmerize.json`` says; unknown keys are kept.

    Attributes
    ----------
    name : str
        Name of the project.
    id : str
        UUID of the project.
    created : str
        ISO 8601, UTC.
    roi_tags : tuple of str
        Columns of text that every ROI table has.
    stimulus_types : tuple of str
        Kinds of stimulus or behaviour that epochs have.
    custom_columns : tuple of CustomColumn
        Columns that every sample has a value of.
    visible_columns : tuple of str
        Columns that the project's browser shows; empty means all.
    """

    name: str
    id: str
    created: str
    roi_tags: tuple[str, ...] = ()
    stimulus_types: tuple[str, ...] = ()
    custom_columns: tuple[CustomColumn, ...] = ()
    visible_columns: tuple[str, ...] = ()
    format: str = Field(default=FORMAT)
    format_version: int = Field(default=FORMAT_VERSION)

    def taken(self) -> dict[str, str]:
        """Return the names that are in use, and what each is."""
        return (
            dict.fromkeys(_OWN, "a column of every project")
            | dict.fromkeys(self.roi_tags, "an ROI tag")
            | {c.name: "a custom column" for c in self.custom_columns}
        )

    def with_roi_tags(self, names: Iterable[str]) -> "Config":
        """Return the configuration with ROI tags added."""
        config = self
        for name in _each(names, "roi_tags"):
            checked = check_column(name, config.taken(), "ROI tag")
            config = config.model_copy(update={"roi_tags": (*config.roi_tags, checked)})
        return config

    def with_stimulus_types(self, names: Iterable[str]) -> "Config":
        """Return the configuration with stimulus types added."""
        config = self
        for name in _each(names, "stimulus_types"):
            taken = dict.fromkeys(config.stimulus_types, "a stimulus type")
            checked = check_column(name, taken, "Stimulus type")
            config = config.model_copy(
                update={"stimulus_types": (*config.stimulus_types, checked)}
            )
        return config

    def with_custom_columns(self, columns: Any) -> "Config":
        """Return the configuration with custom columns added (see `custom_columns`)."""
        config = self
        for column in custom_columns(columns):
            name = check_column(column.name, config.taken(), "Custom column")
            checked = column.model_copy(update={"name": name})
            config = config.model_copy(
                update={"custom_columns": (*config.custom_columns, checked)}
            )
        return config

    def convert_custom(self, values: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return a value for each custom column; what is not given is the default.

        Raises
        ------
        ParameterError
            For a column that the project does not have, or a value that does not fit.
        """
        values = dict(values or {})
        columns = {column.name: column for column in self.custom_columns}
        unknown = [name for name in values if name not in columns]
        if unknown:
            raise ParameterError(
                f"The project has no custom column {unknown[0]!r}; it has "
                f"{', '.join(columns) or 'none'}. Add it first: "
                f"project.add_custom_column({unknown[0]!r}, 'str')."
            )
        return {
            name: column.convert(values[name]) if name in values else column.default
            for name, column in columns.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return what ``mesmerize.json`` holds."""
        content = self.model_dump(mode="python")
        first = {key: content.pop(key) for key in ("format", "format_version")}
        content["custom_columns"] = [
            {"name": c.name, "dtype": c.dtype, "default": c.to_json(c.default)}
            for c in self.custom_columns
        ]
        return first | content


def parse_config(content: Mapping[str, Any], path: str, remedy: Remedy) -> Config:
    """Return the configuration that a ``mesmerize.json`` holds.

    Raises
    ------
    ProjectError
        If a part does not fit; the text names it.
    """
    try:
        return Config(**content)
    except ValidationError as error:
        why = explain_validation(Config, error)
    except ParameterError as error:
        why = str(error)
    raise ProjectError(f"{path} does not fit: {why} {remedy()}")


def custom_columns(columns: Any) -> list[CustomColumn]:
    """Return custom columns as objects.

    Parameters
    ----------
    columns : mapping, sequence or None
        ``{"age_days": int}``, ``{"age_days": {"dtype": "int", "default": 0}}`` or a
        list of :class:`CustomColumn` or of their mappings.
    """
    if columns is None:
        return []
    if isinstance(columns, Mapping):
        columns = [
            {"name": name, **dict(spec)}
            if isinstance(spec, Mapping)
            else {"name": name, "dtype": spec}
            for name, spec in columns.items()
        ]
    return [_custom_column(column) for column in columns]


def _custom_column(column: Any) -> CustomColumn:
    if isinstance(column, CustomColumn):
        return column
    spec = dict(column)
    dtype = spec.get("dtype", "str")
    spec["dtype"] = _WRITTEN.get(dtype, dtype)
    if spec["dtype"] not in _TYPES:
        raise ParameterError(
            f"Column {spec.get('name')!r} has dtype {dtype!r}; expected one of "
            f"{', '.join(_TYPES)}."
        )
    try:
        blank = CustomColumn(name=spec.get("name"), dtype=spec["dtype"])
        spec["default"] = blank.convert(spec.get("default"))
        return CustomColumn(**spec)
    except ValidationError as error:
        raise ParameterError(explain_validation(CustomColumn, error)) from error


def _each(names: Iterable[str], what: str) -> list[str]:
    if isinstance(names, str):
        raise ParameterError(f"{what}={names!r} is one text; give a list: [{names!r}].")
    return list(names)


def fill_roi_tags(rois: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return an ROI table with each tag column of the project, as text.

    Raises
    ------
    ParameterError
        If a tag column holds something else than text.
    """
    rois = rois.copy()
    for name in config.roi_tags:
        if name not in rois:
            rois[name] = pd.Series(UNTAGGED, index=rois.index, dtype=object)
            continue
        values = [UNTAGGED if pd.isna(value) else value for value in rois[name]]
        wrong = next((value for value in values if not isinstance(value, str)), None)
        if wrong is not None:
            raise ParameterError(
                f"The ROI tag {name!r} holds text; {wrong!r} is of type "
                f"{type(wrong).__name__}. Convert it: rois[{name!r}].astype(str)."
            )
        rois[name] = pd.Series(values, index=rois.index, dtype=object)
    return rois


FILE = "mesmerize.json"
_WAIT_S = 10.0


class Configuration:
    """A project's configuration on disk.

    Parameters
    ----------
    project : pathlib.Path
        The project folder.
    """

    def __init__(self, project: Path) -> None:
        self._project = project
        self._path = project / FILE
        self._cached: tuple[tuple[int, int, int], Config] | None = None

    def read(self) -> Config:
        """Return the configuration as it is on disk now.

        Raises
        ------
        ProjectError
            If the file is missing, damaged or of a newer version.
        """
        try:
            status = self._path.stat()
        except OSError as error:
            raise ProjectError(
                f"{self._path} can not be read: {error.strerror}. A project folder has "
                f"this file; {self._remedy()}"
            ) from error
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._cached is None or self._cached[0] != stamp:
            content = read_json(self._path, FORMAT, FORMAT_VERSION, self._remedy)
            config = parse_config(content, str(self._path), self._remedy)
            self._cached = (stamp, config)
        return self._cached[1]

    def change(self, change: Callable[[Config], Config]) -> None:
        """Replace the configuration; the old one is kept in ``backups/``.

        Raises
        ------
        ProjectError
            If it can not be written, or another process holds it for too long.
        """
        what = "The project's configuration"
        lock = self._project / f".{FILE}.lock"
        with writing(what, self._path), locked(lock, what, wait_s=_WAIT_S):
            old = self.read()
            new = change(old)
            if new != old:
                backups.keep_copy(self._project, self._path, "configuration changed")
                write_json(self._path, new.to_json())

    def _remedy(self) -> str:
        return backups.remedy(self._project, self._path)
