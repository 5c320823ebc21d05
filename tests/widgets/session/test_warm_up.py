import importlib

from napari_mesmerize.widgets.session import session as sessions
from napari_mesmerize.widgets.session import warm_up


def test_what_is_imported_early_exists():
    for name in warm_up.MODULES:
        assert importlib.import_module(name)


def test_it_starts_once_and_only_for_a_window_that_shows(
    viewer, make_napari_viewer, monkeypatch
):
    started = []
    monkeypatch.setattr(sessions, "start_warm_up", lambda: started.append(1))
    sessions.get_session(viewer)
    sessions.get_session(make_napari_viewer(show=False))
    assert started == []
    sessions.get_session(make_napari_viewer(show=True))
    assert started == [1]


def test_a_module_that_is_missing_stops_nothing(monkeypatch):
    monkeypatch.setattr(warm_up, "MODULES", ("no_such_module", "json"))
    monkeypatch.setattr(warm_up, "_WAIT_S", 0.0)
    warm_up._import_all()
