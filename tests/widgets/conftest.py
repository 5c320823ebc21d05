"""Small data with known truth, and a viewer without a window."""

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from scipy import sparse

from napari_mesmerize.components import Components
from napari_mesmerize.recording import as_recording
from napari_mesmerize.widgets.roi_set import RoiSet
from napari_mesmerize.widgets.session import get_session

SHAPE = (20, 30)
N_FRAMES = 40


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Keep samples of the tests out of the user's cache."""
    from napari_mesmerize.widgets import sample_cache

    monkeypatch.setattr(sample_cache, "cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def viewer(qapp):
    """A viewer model: layers and dims as in a window, without one."""
    return ViewerModel()


@pytest.fixture
def session(viewer):
    return get_session(viewer)


@pytest.fixture
def recording():
    rng = np.random.default_rng(1)
    frames = rng.integers(100, 200, (N_FRAMES, *SHAPE)).astype(np.uint16)
    return as_recording(
        frames, frame_rate=10.0, pixel_size_um=(2.0, 2.0), source={"uri": "made here"}
    ).rename("movie")


def square(y, x, size=5):
    image = np.zeros(SHAPE, np.float32)
    image[y : y + size, x : x + size] = 1
    return image


@pytest.fixture
def components():
    """Four squares; 0 and 1 overlap, 3 is rejected."""
    images = [square(2, 2), square(4, 4), square(12, 3), square(10, 20)]
    footprints = sparse.csc_array(np.stack([i.ravel() for i in images], axis=1))
    rng = np.random.default_rng(2)
    traces = rng.random((4, N_FRAMES)).astype(np.float32)
    return Components.build(
        footprints,
        SHAPE,
        {"raw": traces, "dff": traces * 2},
        scores=pd.DataFrame({"snr": [4.0, 8.0, 2.0, 1.0]}),
        accepted=[True, True, True, False],
        frame_rate=10.0,
    )


@pytest.fixture
def roi_set(components, recording):
    return RoiSet(components, recording=recording, tag_columns=("cell_type",))


@pytest.fixture
def wait_for_job(qtbot):
    """Return a function that waits until a dock's job is done."""

    def wait(bar, timeout_s=60):
        qtbot.waitUntil(lambda: not bar.running, timeout=int(timeout_s * 1000))

    return wait
