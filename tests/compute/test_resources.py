import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from napari_mesmerize.compute.resources import measure, one_blas_thread


def test_measure_sees_the_memory_and_the_time_of_its_body():
    with measure("step") as usage:
        block = np.ones(2**24)  # 128 MiB, touched
        time.sleep(0.1)
    assert usage.name == "step"
    assert usage.seconds >= 0.1
    assert usage.peak_bytes >= block.nbytes


def test_measure_ends_and_reports_when_the_body_fails():
    with pytest.raises(ZeroDivisionError), measure("step") as usage:
        _ = 1 / 0
    assert usage.seconds > 0
    assert usage.peak_bytes > 0


def test_one_blas_thread_holds_for_the_body_alone():
    before = blas_threads()
    with one_blas_thread():
        assert blas_threads() <= {1}
    assert blas_threads() == before


def blas_threads() -> set[int]:
    """Return how many threads the loaded BLAS libraries use."""
    return {
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
