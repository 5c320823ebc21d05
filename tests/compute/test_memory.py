import numpy as np
import psutil
import pytest

from napari_mesmerize.compute import memory
from napari_mesmerize.compute.memory import Budget, n_cores, reading_slices
from napari_mesmerize.data.recording import as_recording

GB = 10**9


def test_defaults_are_a_quarter_of_the_free_memory_and_all_cores(monkeypatch):
    free = type("Memory", (), {"available": 8 * GB})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(memory, "n_cores", lambda: 12)
    assert Budget.of() == Budget(2 * GB, 12)
    assert Budget.of(most_workers=8) == Budget(2 * GB, 8)
    assert Budget.of(3 * GB, 20, most_workers=8) == Budget(3 * GB, 20)


@pytest.mark.parametrize(
    ("piece", "n_pieces", "expected"),
    [
        (GB, None, 4),
        (GB, 3, 3),
        (3 * GB, None, 2),
        (7 * GB, 5, 1),
        (1, None, 4),
        (0, None, 4),
    ],
)
def test_as_many_pieces_as_fit_and_at_least_one(piece, n_pieces, expected):
    assert Budget(6 * GB, 4).at_once(piece, n_pieces) == expected


def test_cores_are_those_of_this_process(monkeypatch):
    assert 1 <= n_cores() <= (psutil.cpu_count() or 1)
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert n_cores() == 1


def test_batches_cover_all_frames_and_stay_small():
    recording = as_recording(np.broadcast_to(np.uint16(1), (50, 1024, 4096)))
    slices = reading_slices(recording)
    assert slices[0] == slice(0, 6), "8 MiB a frame"
    assert [s.start for s in slices[1:]] == [s.stop for s in slices[:-1]]
    assert slices[-1].stop == 50
    huge = as_recording(np.broadcast_to(np.uint8(1), (3, 10**4, 10**4)))
    assert reading_slices(huge) == [slice(0, 1), slice(1, 2), slice(2, 3)]
