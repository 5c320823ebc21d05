"""Compile loops over pixels and frames: cached, without the interpreter lock."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile ``function`` with numba; it may reorder sums and expects no NaN."""
    decorate = numba.njit(cache=True, nogil=True, fastmath=True)
    return cast(Function, decorate(function))


def compiled_exact(function: Function) -> Function:
    """Compile ``function`` with numba under exact rules, so that it may see NaN."""
    decorate = numba.njit(cache=True, nogil=True)
    return cast(Function, decorate(function))


# no NaN reaches a compiled loop (frames are filled first), so "fastmath" is safe
FAST: dict[str, Any] = {"fastmath": True, "nogil": True, "cache": True}
