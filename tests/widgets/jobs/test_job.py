import threading
import time

import pytest
from napari.utils.notifications import notification_manager

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.widgets.jobs.job import JobBar, cancel_all_jobs
from napari_mesmerize.widgets.napari_api import close_notices


def count(n, *, progress, pause=0.0, started=None):
    total = 0
    for i in progress(range(n), desc="Counting", total=n):
        if started is not None:
            started.set()
        time.sleep(pause)
        total += i
    return total


@pytest.fixture
def bar(viewer, qtbot):
    made = JobBar(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def messages():
    found = []

    def keep(event):
        found.append(event.value if hasattr(event, "value") else event)

    notification_manager.notification_ready.connect(keep)
    yield found
    notification_manager.notification_ready.disconnect(keep)


def test_a_job_runs_off_the_gui_thread_and_hands_over_its_result(bar, wait_for_job):
    results, threads = [], []

    def where(*, progress):
        threads.append(threading.current_thread())
        return count(10, progress=progress)

    bar.start(
        "Counting",
        where,
        on_result=lambda r: results.append((r, threading.current_thread())),
    )
    wait_for_job(bar)
    assert results == [(45, threading.main_thread())]
    assert threads[0] is not threading.main_thread()
    assert "done" in bar.text.text()


def test_progress_is_shown(bar, qtbot, wait_for_job):
    bar.start("Counting", count, 40, pause=0.02)
    qtbot.waitUntil(lambda: bar.bar.maximum() == 40 and bar.bar.value() > 3)
    assert bar.text.text().startswith("Counting:")
    bar.cancel()
    wait_for_job(bar)


def test_cancel_stops_within_a_step(bar, wait_for_job):
    started, results = threading.Event(), []
    job = bar.start(
        "Counting", count, 1000, pause=0.01, started=started, on_result=results.append
    )
    assert started.wait(5)
    bar.cancel()
    wait_for_job(bar, 5)
    assert "cancelled" in bar.text.text()
    assert results == []
    assert job.wait(1)


def test_errors_for_users_are_shown_as_they_are(bar, wait_for_job, messages):
    def fail(*, progress):
        raise ParameterError("max_shift=30 exceeds half a frame; use at most 23.")

    bar.start("Failing", fail)
    wait_for_job(bar)
    assert bar.text.text() == "max_shift=30 exceeds half a frame; use at most 23."
    assert "use at most 23" in str(messages[-1])


def test_unexpected_errors_point_to_their_traceback(bar, wait_for_job, messages):
    def fail(*, progress):
        return {}["missing"]

    bar.start("Failing", fail)
    wait_for_job(bar)
    assert "KeyError" in bar.text.text()
    assert "Traceback" in bar.text.text()
    assert messages


def test_an_error_while_showing_the_result_is_reported(bar, wait_for_job, messages):
    def show(result):
        raise ParameterError("can not be shown")

    bar.start("Counting", count, 1, on_result=show)
    wait_for_job(bar)
    assert "can not be shown" in bar.text.text()


def test_one_job_at_a_time(bar, wait_for_job):
    bar.start("First", count, 20, pause=0.01)
    assert bar.start("Second", count, 1) is None
    assert "First is still running" in bar.text.text()
    bar.cancel()
    wait_for_job(bar)


def test_deleting_the_bar_stops_its_job(viewer, qtbot):
    bar = JobBar(viewer)
    job = bar.start("Counting", count, 1000, pause=0.01)
    bar.deleteLater()
    qtbot.waitUntil(lambda: not job.is_running(), timeout=5000)


def test_cancel_all_jobs(bar, wait_for_job):
    started = threading.Event()
    bar.start("Counting", count, 1000, pause=0.01, started=started)
    assert started.wait(5)
    cancel_all_jobs()
    wait_for_job(bar, 5)


def test_closing_a_window_while_a_job_runs_is_safe(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    bar = JobBar(viewer)
    viewer.window.add_dock_widget(bar, name="job")
    started = threading.Event()
    job = bar.start("Counting", count, 1000, pause=0.01, started=started)
    assert started.wait(5)
    assert close_notices(viewer) == ["Counting"]
    viewer.close()
    qtbot.waitUntil(lambda: not job.is_running(), timeout=5000)
    qtbot.wait(50)


def test_the_activity_bar_of_napari_cancels_too(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    bar = JobBar(viewer)
    viewer.window.add_dock_widget(bar, name="job")
    started = threading.Event()
    bar.start("Counting", count, 1000, pause=0.01, started=started)
    assert started.wait(5)
    bar._activity.cancel()
    qtbot.waitUntil(lambda: not bar.running, timeout=5000)
    assert "cancelled" in bar.text.text()
