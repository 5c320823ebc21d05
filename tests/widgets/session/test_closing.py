"""napari's window does not close on a run without a question."""

import threading
import time

import pytest
from napari.settings import get_settings
from qtpy.QtGui import QCloseEvent

from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.session.closing import CloseGuard, guard
from napari_mesmerize.widgets.session.session import get_session


@pytest.fixture
def asked(monkeypatch):
    """What the user is asked; the answers are taken from the end."""
    questions, answers = [], []

    def ask(self, tasks):
        questions.append(tasks)
        return answers.pop()

    monkeypatch.setattr(CloseGuard, "ask", ask)
    return questions, answers


@pytest.fixture
def busy(make_napari_viewer, qtbot, monkeypatch):
    """A shown viewer with a run, and napari's own question switched off."""
    monkeypatch.setattr(get_settings().application, "confirm_close_window", False)
    viewer = make_napari_viewer(show=True)
    get_session(viewer)
    bar = JobBar(viewer)
    qtbot.addWidget(bar)
    begun = threading.Event()

    def work(*, progress):
        for _ in progress(range(2000), desc="Working", total=2000):
            begun.set()
            time.sleep(0.01)

    job = bar.start("Extraction", work)
    qtbot.waitUntil(begun.is_set)
    yield viewer, job
    job.cancel()
    job.wait(5)


def test_closing_from_the_menu_asks_while_a_run_is_going_on(busy, asked, qtbot):
    viewer, job = busy
    questions, answers = asked
    window = viewer.window._qt_window
    answers[:] = [True, False]
    window.close(quit_app=False, confirm_need=True)
    assert questions == [["Extraction"]]
    assert window.isVisible()
    assert job.is_running()
    (made,) = window.findChildren(CloseGuard)
    assert not made.eventFilter(window, QCloseEvent()), "it closes"
    assert len(questions) == 2


def test_a_script_that_closes_the_viewer_is_not_asked(busy, asked, qtbot):
    viewer, job = busy
    viewer.close()
    assert asked[0] == []
    qtbot.waitUntil(lambda: not job.is_running(), timeout=5000)


def test_an_idle_window_closes_at_once(make_napari_viewer, asked):
    viewer = make_napari_viewer(show=True)
    guard(viewer)
    guard(viewer)
    window = viewer.window._qt_window
    (made,) = window.findChildren(CloseGuard)
    assert not made.eventFilter(window, QCloseEvent())
    assert asked[0] == []


def test_a_viewer_without_a_window_needs_no_guard(viewer):
    guard(viewer)
