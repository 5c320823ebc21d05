"""One way to compile: settings, cache, and what the compiled loops give."""

import numpy as np
import pytest

from napari_mesmerize.compute.jit import compiled, compiled_exact, compiled_ufunc


def total(values):
    found = 0.0
    for value in values:
        found += value
    return found


def clipped(value, low, high):
    return min(max(value, low), high)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("compile_with", [compiled, compiled_exact])
def test_loops_run_without_the_interpreter_and_are_cached(compile_with, own_cache):
    loop = compile_with(total)
    assert loop(np.arange(5.0)) == 10
    assert loop.targetoptions["nogil"]
    assert [*own_cache.rglob("*.nbi")], "the next process does not compile again"
    assert loop.py_func is total


def test_exact_loops_see_nan():
    values = np.array([1.0, np.nan])
    assert np.isnan(compiled_exact(total)(values))
    assert compiled(total).targetoptions["fastmath"]
    assert not compiled_exact(total).targetoptions.get("fastmath")


def test_functions_of_numbers_work_on_arrays():
    found = compiled_ufunc(clipped)(np.arange(6.0).reshape(2, 3), 1.0, 4.0)
    np.testing.assert_array_equal(found, [[1, 1, 2], [3, 4, 4]])
