"""Progress of long loops: any callable shaped like ``tqdm``.

An engine wraps its outer loop: ``for start in progress(starts, desc=..., total=...)``.
To cancel, the callable's iterator raises :class:`~napari_mesmerize.errors.Cancelled`.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """A callable that yields the items of an iterable and reports how far it is."""

    def __call__(
        self, iterable: Iterable[T], *, desc: str = ..., total: int | None = ...
    ) -> Iterable[T]:
        """Wrap ``iterable``; ``desc`` names the step, ``total`` counts its items."""
        ...


def silent(
    iterable: Iterable[T], *, desc: str = "", total: int | None = None
) -> Iterable[T]:
    """Report nothing (the default of every engine).

    Parameters
    ----------
    iterable : iterable
        The items of a loop.
    desc, total : optional
        Not used.

    Returns
    -------
    iterable
        The same.

    Notes
    -----
    Use it as the default of a function that takes ``progress``. To see a bar, pass
    ``tqdm`` instead.

    Examples
    --------
    >>> from napari_mesmerize.progress import silent
    >>> list(silent([1, 2], desc="Nothing"))
    [1, 2]
    """
    return iterable


def reporting(callback: Callable[[str, int, int], None]) -> Progress:
    """Make a progress callable out of a function.

    Parameters
    ----------
    callback : callable
        Called as ``callback(desc, done, total)`` before the first item and after each;
        ``total`` is 0 where it is unknown. It may raise
        :class:`~napari_mesmerize.errors.Cancelled` to stop the computation.

    Returns
    -------
    Progress
        To be passed as ``progress``.

    Notes
    -----
    Use it to feed a bar or a log of your own, or to cancel. In a terminal ``tqdm``
    needs nothing of this. The callback runs in the thread of the computation.

    Examples
    --------
    >>> from napari_mesmerize.progress import reporting
    >>> progress = reporting(lambda desc, done, total: print(f"{desc}: {done}/{total}"))
    >>> for item in progress("ab", desc="Letters"):
    ...     pass
    Letters: 0/2
    Letters: 1/2
    Letters: 2/2
    """

    def progress(
        iterable: Iterable[T], *, desc: str = "", total: int | None = None
    ) -> Iterator[T]:
        if total is None:
            total = len(iterable) if isinstance(iterable, Sized) else 0
        callback(desc, 0, total)
        for done, item in enumerate(iterable, start=1):
            yield item
            callback(desc, done, total)

    return progress
