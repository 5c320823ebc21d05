"""A viewer without a window, and what waits for its jobs."""

import pytest
from napari.components import ViewerModel

from napari_mesmerize.widgets.session.session import get_session


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Keep samples of the tests out of the user's cache."""
    from napari_mesmerize.workspace import sample_cache

    monkeypatch.setattr(sample_cache, "cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def viewer(qapp):
    """A viewer model: layers and dims as in a window, without one."""
    return ViewerModel()


@pytest.fixture
def session(viewer):
    return get_session(viewer)


@pytest.fixture
def wait_for_job(qtbot):
    """Return a function that waits until a dock's job is done."""

    def wait(bar, timeout_s=60):
        qtbot.waitUntil(lambda: not bar.running, timeout=int(timeout_s * 1000))

    return wait
