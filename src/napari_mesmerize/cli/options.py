"""Command line options made out of params models, one for each field."""

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
import xarray as xr
from pydantic import BaseModel

from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.io import read_recording
from napari_mesmerize.transforms.projections import project


def with_params(*models: type[BaseModel]) -> Callable[[Callable[..., Any]], Any]:
    """Give a command an option for each field of the models.

    The command must take a keyword ``given``: a dict of the fields that were given. A
    field that several models share becomes one option.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(command)
        kept = [p for name, p in own.parameters.items() if name != "given"]
        taken = {p.name for p in kept}
        added = _field_options(models, taken)

        def run(**values: Any) -> Any:
            options = {name: values.pop(name) for name in added}
            given = {name: v for name, v in options.items() if v is not None}
            return command(**values, given=given)

        parameters = [*kept, *added.values()]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _field_options(
    models: tuple[type[BaseModel], ...], taken: set[str]
) -> dict[str, inspect.Parameter]:
    options: dict[str, inspect.Parameter] = {}
    for model in models:
        for name, info in model.model_fields.items():
            if name in options or name in taken:
                continue
            users = [m.__name__ for m in models if name in m.model_fields]
            extra = info.json_schema_extra
            extra = extra if isinstance(extra, Mapping) else {}
            text = " ".join(
                part
                for part in (
                    info.description or "",
                    f"[{extra['unit']}]" if extra.get("unit") else "",
                    f"(also: {extra['also']})" if extra.get("also") else "",
                    f"(only {', '.join(users)})" if len(users) < len(models) else "",
                    f"Default: {info.default!r}.",
                )
                if part
            )
            kind: Any = _option_type(info.annotation)
            flag = f"--{name.replace('_', '-')}"
            flag = f"{flag}/--no-{name.replace('_', '-')}" if kind is bool else flag
            option = typer.Option(flag, help=text, show_default=False)
            annotation: Any = Annotated[kind | None, option]
            options[name] = inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=annotation,
            )
    return options


def _option_type(annotation: Any) -> type:
    """Return the type an option of a field has; choices are read as text."""
    if annotation in (bool, int, float, str):
        return annotation  # type: ignore[no-any-return]
    choices = get_args(annotation)
    kinds = {type(choice) for choice in choices if not isinstance(choice, type)}
    return kinds.pop() if len(kinds) == 1 else str


def read_params_file(path: Path | None) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one without a file.

    Raises
    ------
    ReadError
        If the file can not be read.
    ParameterError
        If it holds no JSON object.
    """
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadError(
            f"The parameter file {path} can not be read: {error}."
        ) from error
    except ValueError as error:
        raise ParameterError(
            f"{path.name} is not JSON: {error}. Expected for instance "
            '{"motion": {"max_shift": 12}, "extract": {"cell_diameter": 10}}.'
        ) from error
    if not isinstance(values, dict):
        raise ParameterError(
            f"{path.name} holds a {type(values).__name__}; expected a JSON object with "
            "names and values of parameters."
        )
    return values


def open_recording(file: Path, selection: str, frame_rate: float) -> xr.DataArray:
    """Open a recording; a selection of "" and a frame rate of 0 say nothing."""
    return read_recording(
        file, selection=selection or None, frame_rate=frame_rate or None
    )


def read_image(file: Path | None, kind: str) -> Any:
    """Return an image; of a file with several frames their mean or maximum."""
    if file is None:
        return None
    image = project(read_recording(file), (kind,))[kind]
    return image > 0 if kind == "max" else image


def to_bytes(gigabytes: float) -> int | None:
    """Return a memory in bytes; 0 says nothing."""
    return int(gigabytes * 1e9) if gigabytes else None
