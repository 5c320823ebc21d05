"""Converted blocks: exact, of any layout, and never in memory that is still in use."""

import gc
import sys

import numpy as np
import pytest

from napari_mesmerize.io.blocks.buffers import (
    LARGEST,
    MOST_FREE,
    SMALLEST,
    Buffers,
    inverted,
    scaled,
)


@pytest.fixture
def stored():
    random = np.random.default_rng(0)
    return random.integers(0, 2**16, (3, 20, 30), dtype=np.uint16)


CONVERSIONS = [
    (1, -786.0), (-1, 65535.0), (1, 0.0), (-1, 12.0), (0.37, -12.3), (1, -786.25),
]  # fmt: skip


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize(("scale", "offset"), CONVERSIONS)
def test_values_are_exact_in_any_layout(
    stored, scale, offset, is_compiled, monkeypatch
):
    if is_compiled:
        pytest.importorskip("numba")
    else:
        monkeypatch.delitem(sys.modules, "numba", raising=False)
    expected = (scale * stored.astype(np.float64) + offset).astype(np.float32)
    layouts = (
        (stored, expected),
        (stored[:, ::-1], expected[:, ::-1]),
        (stored[::2, 3:9, ::-2], expected[::2, 3:9, ::-2]),
        (stored[:0], expected[:0]),
        (stored[np.newaxis], expected[np.newaxis]),
    )
    for block, values in layouts:
        np.testing.assert_array_equal(scaled(block, scale, offset), values)
    np.testing.assert_array_equal(inverted(stored), 65535 - stored)


@pytest.mark.parametrize("n_images", [1, 2, 9])
@pytest.mark.parametrize("shape", [(900, 1000), (2, 450, 1000)])
def test_large_blocks_are_shared_by_threads(n_images, shape, monkeypatch):
    monkeypatch.setattr("napari_mesmerize.io.blocks.buffers._SHARED_BYTES", 2**20)
    block = np.arange(n_images * 900_000, dtype=np.uint32).astype(np.uint16)
    block = block.reshape(n_images, *shape)
    np.testing.assert_array_equal(scaled(block, 1.0, -1454.0), block - 1454.0)
    np.testing.assert_array_equal(scaled(block, -1.0, 0.5), 0.5 - block)
    np.testing.assert_array_equal(inverted(block), 65535 - block)
    np.testing.assert_array_equal(inverted(block[..., ::-1]), 65535 - block[..., ::-1])


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
