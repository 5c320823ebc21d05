"""What steps may use, and what they used: threads, time, peak memory."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from threadpoolctl import threadpool_limits

_SAMPLING_S = 0.02


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Multiply matrices on one core; small ones gain nothing from several.

    The BLAS's threads wait for each other in loops, beside the threads of the caller:
    twice the CPU time, more where other programs run too. Decorates functions as well.
    """
    with threadpool_limits(1, user_api="blas"):
        yield


@dataclass
class Usage:
    """What a step cost; filled in when it ends.

    Attributes
    ----------
    name : str
        Name of the step.
    seconds : float
        Wall time.
    cpu_seconds : float
        User and system time of this process, all threads.
    peak_bytes : int
        Largest resident memory of this process while the step ran.
    """

    name: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


@contextmanager
def measure(name: str) -> Iterator[Usage]:
    """Measure what the body of a ``with`` statement costs."""
    process = psutil.Process()
    usage = Usage(name, peak_bytes=process.memory_info().rss)
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLING_S):
            usage.peak_bytes = max(usage.peak_bytes, process.memory_info().rss)

    sampler = threading.Thread(target=sample, daemon=True)
    wall, cpu = time.perf_counter(), time.process_time()
    sampler.start()
    try:
        yield usage
    finally:
        usage.seconds = time.perf_counter() - wall
        usage.cpu_seconds = time.process_time() - cpu
        ended.set()
        sampler.join()
        usage.peak_bytes = max(usage.peak_bytes, process.memory_info().rss)
