"""From a mapping (JSON file, command line, form) to a params model, or an error."""

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from napari_mesmerize.errors import ParameterError

Model = TypeVar("Model", bound=BaseModel)


def parse_params(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Make a params model from a mapping.

    Parameters
    ----------
    model : type
        A frozen pydantic model, such as ``RigidParams``.
    values : mapping
        Parameter names and values; what is absent keeps its default.

    Raises
    ------
    ParameterError
        Names each parameter that does not fit, what came and what was expected; for an
        unknown name, the nearest known one.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ParameterError(explain_validation(model, error)) from error


def explain_validation(model: type[BaseModel], error: ValidationError) -> str:
    """Say in one paragraph which parameters of ``model`` do not fit, and why."""
    sentences = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"]) or "the combination"
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, model.model_fields, n=1)
            hint = (
                f"did you mean '{near[0]}'?"
                if near
                else f"known are {', '.join(model.model_fields)}."
            )
            sentences.append(f"'{name}' is no parameter of {model.__name__}; {hint}")
        else:
            came = "" if problem["type"] == "missing" else f"={problem['input']!r}"
            why = problem["msg"].removeprefix("Value error, ").rstrip(".")
            sentences.append(f"{name}{came}: {why}.")
    return " ".join(sentences)
