"""Compile loops over pixels and frames: cached, without the interpreter lock."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_ALWAYS: dict[str, Any] = {"cache": True, "nogil": True}


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile ``function`` with numba; it may reorder sums and expects no NaN."""
    decorate = numba.njit(fastmath=True, **_ALWAYS)
    return cast(Callable[Arguments, Result], decorate(function))


def compiled_exact(
    function: Callable[Arguments, Result],
) -> Callable[Arguments, Result]:
    """Compile ``function`` with numba under exact rules, so that it may see NaN."""
    decorate = numba.njit(**_ALWAYS)
    return cast(Callable[Arguments, Result], decorate(function))


def compiled_ufunc(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of numbers with numba; it then works on whole arrays."""
    return cast(Callable[..., Any], numba.vectorize(cache=True)(function))
