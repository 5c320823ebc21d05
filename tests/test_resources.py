import time

import numpy as np
import pytest

from napari_mesmerize.resources import measure


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
