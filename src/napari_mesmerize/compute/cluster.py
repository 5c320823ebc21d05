"""The one loop over a cluster: pieces go out, a few at a time, and results come back.

A cluster is a ``distributed.Client`` of dask, with whatever scheduler it has. Pixels
are read here and sent; workers need no access to the files.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


def computed(
    client: Any,
    function: Callable[[Shared, Item, Any], Result],
    shared: Shared,
    items: Sequence[Item],
    read: Callable[[Item], Any],
    *,
    at_once: int,
    in_order: bool = False,
) -> Iterator[tuple[int, Result]]:
    """Yield ``(place, function(shared, item, read(item)))`` for each item.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    function : callable
        What a worker calls. It must be found by its name there, and so must what
        ``shared`` and ``item`` are made of.
    shared : object
        Sent once to each worker.
    items : sequence
        The pieces of the work.
    read : callable
        Called here, right before a piece is sent: returns the data of an item.
    at_once : int
        Most pieces whose data or result exist at a time.
    in_order : bool, optional
        Yield in the order of ``items``; default as they finish.

    Notes
    -----
    When the caller stops before the end, pieces that are not finished are cancelled.
    """
    waiting: dict[Any, int] = {}

    def finished() -> tuple[int, Result]:
        if in_order:
            future = next(iter(waiting))
        else:
            as_completed = importlib.import_module("distributed").as_completed
            future = next(iter(as_completed(list(waiting))))
        result = future.result()
        return waiting.pop(future), result

    try:
        (known,) = client.scatter([shared], broadcast=True, hash=False)
        for place, item in enumerate(items):
            data = client.scatter(read(item), hash=False)
            waiting[client.submit(function, known, item, data, pure=False)] = place
            if len(waiting) >= max(1, at_once):
                yield finished()
        while waiting:
            yield finished()
    finally:
        client.cancel(list(waiting))


def n_workers(client: Any) -> int:
    """Return how many workers (processes) a cluster has now, at least 1."""
    return max(1, len(client.nthreads()))


def n_threads(client: Any) -> int:
    """Return how many threads the workers of a cluster have together, at least 1."""
    return max(1, sum(int(threads) for threads in client.nthreads().values()))
