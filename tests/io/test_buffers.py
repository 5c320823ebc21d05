"""Converted blocks: exact, of any layout, and never in memory that is still in use."""

import gc

import numpy as np
import pytest

from napari_mesmerize.io.buffers import (
    LARGEST,
    MOST_FREE,
    SMALLEST,
    Buffers,
    inverted,
    shifted,
)


@pytest.fixture
def stored():
    random = np.random.default_rng(0)
    return random.integers(0, 2**16, (3, 20, 30), dtype=np.uint16)


@pytest.mark.parametrize(("sign", "offset"), [(1, -786.0), (-1, 65535.0), (1, 0.0)])
def test_values_are_exact_in_any_layout(stored, sign, offset):
    expected = (sign * stored.astype(np.float64) + offset).astype(np.float32)
    layouts = (
        (stored, expected),
        (stored[:, ::-1], expected[:, ::-1]),
        (stored[::2, 3:9, ::-2], expected[::2, 3:9, ::-2]),
        (stored[:0], expected[:0]),
        (stored[np.newaxis], expected[np.newaxis]),
    )
    for block, values in layouts:
        np.testing.assert_array_equal(shifted(block, sign, offset), values)
    np.testing.assert_array_equal(inverted(stored), 65535 - stored)


def test_memory_is_used_again_only_when_nobody_holds_it():
    buffers = Buffers()
    shape = (SMALLEST // 4, 2)
    first = buffers.empty(shape, np.float32)
    first[:] = 1
    view = first[10:20]
    place = first.ctypes.data
    del first
    gc.collect()
    other = buffers.empty(shape, np.float32)
    other[:] = 2
    assert (view == 1).all()  # a view keeps the whole block
    del view
    gc.collect()
    assert buffers.empty(shape, np.float32).ctypes.data == place


def test_little_memory_is_kept():
    buffers = Buffers()
    blocks = [buffers.empty((SMALLEST,), np.uint8) for _ in range(MOST_FREE + 3)]
    del blocks
    gc.collect()
    assert len(buffers._free) == MOST_FREE
    for n_bytes in (SMALLEST - 1, LARGEST + 1):
        assert buffers.empty((n_bytes,), np.uint8).base is None
