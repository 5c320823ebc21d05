"""Run patches in threads, with progress and cancel."""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from napari_mesmerize.errors import Cancelled
from napari_mesmerize.progress import Progress

Result = TypeVar("Result")
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
