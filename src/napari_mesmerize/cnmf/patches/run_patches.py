"""Run patches, in threads or on a cluster, with progress and cancel."""

import importlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from napari_mesmerize.errors import Cancelled
from napari_mesmerize.progress import Progress

Result = TypeVar("Result")
Job = TypeVar("Job")
Item = TypeVar("Item")
Step = Callable[[str], None]


class _Steps:
    """What a patch calls before each of its steps: report it, or stop."""

    def __init__(self, ticks: "queue.Queue[str | None]", stop: threading.Event) -> None:
        self._ticks = ticks
        self._stop = stop
        self.count = 0

    def __call__(self, step: str) -> None:
        if self._stop.is_set():
            raise Cancelled("The extraction was cancelled.")
        self.count += 1
        self._ticks.put(step)


def run_patches(
    work: Callable[[int, Step], Result],
    n_patches: int,
    steps_per_patch: int,
    *,
    workers: int,
    progress: Progress,
    desc: str,
) -> list[Result]:
    """Call ``work(number, step)`` for each patch, in ``workers`` threads.

    ``step`` must be called before each step of the work; the progress counts these.
    When the progress raises :class:`~napari_mesmerize.errors.Cancelled`, or a patch
    fails, the others stop before their next step, and the error is raised.
    """
    ticks: queue.Queue[str | None] = queue.Queue()
    stop = threading.Event()

    def one(number: int) -> Result:
        steps = _Steps(ticks, stop)
        try:
            result = work(number, steps)
        except BaseException:
            stop.set()
            ticks.put(None)
            raise
        for _ in range(steps.count, steps_per_patch):
            ticks.put("")
        return result

    total = n_patches * steps_per_patch
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        futures = [pool.submit(one, number) for number in range(n_patches)]
        try:
            for _ in progress(_wait(ticks, total), desc=desc, total=total):
                pass
        except BaseException:
            stop.set()
            raise
        failures = [error for f in futures if (error := f.exception()) is not None]
        for error in failures:
            if not isinstance(error, Cancelled):
                raise error
        return [future.result() for future in futures]


def _wait(ticks: "queue.Queue[str | None]", total: int) -> Iterator[int]:
    """Yield a number for each step; end early when a patch failed."""
    for number in range(total):
        if ticks.get() is None:
            return
        yield number


def run_on_cluster(
    client: Any,
    function: Callable[[Job, Item, Any], Result],
    job: Job,
    items: Sequence[Item],
    read: Callable[[Item], Any],
    keep: Callable[[int, Result], Result],
    *,
    at_once: int,
    progress: Progress,
    desc: str,
) -> list[Result]:
    """Run ``function(job, item, read(item))`` for each over a ``distributed`` client.

    ``read`` and ``keep(place, result)`` run here; at most ``at_once`` items are out at
    a time. When the progress raises, what is not finished is cancelled.
    """
    as_completed = importlib.import_module("distributed").as_completed
    most = max(1, min(at_once, sum(client.nthreads().values()) + 1))
    waiting: dict[Any, int] = {}
    results: dict[int, Result] = {}

    def finished() -> Iterator[int]:
        (shared,) = client.scatter([job], broadcast=True, hash=False)
        for place, item in enumerate(items):
            data = client.scatter(read(item), hash=False)
            future = client.submit(function, shared, item, data, pure=False)
            waiting[future] = place
            if len(waiting) >= most:
                yield finish_one()
        while waiting:
            yield finish_one()

    def finish_one() -> int:
        future = next(iter(as_completed(list(waiting))))
        place = waiting[future]
        results[place] = keep(place, future.result())
        del waiting[future]
        return place

    try:
        for _ in progress(finished(), desc=desc, total=len(items)):
            pass
    finally:
        client.cancel(list(waiting))
    return [results[place] for place in range(len(items))]
