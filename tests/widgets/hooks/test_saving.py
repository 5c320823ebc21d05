import threading
import time

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QProgressDialog, QPushButton

from napari_mesmerize.errors import Cancelled, WriteError
from napari_mesmerize.widgets.hooks.saving import run_behind_a_dialog


def slowly(n, *, progress, seen=None):
    for _ in progress(range(n), desc="Saving", total=n):
        time.sleep(0.02)
    if seen is not None:
        seen.append(threading.current_thread() is threading.main_thread())
    return n


def test_without_a_window_it_just_runs(qapp):
    seen = []
    assert run_behind_a_dialog("Saving", slowly, 2, seen=seen) == 2
    assert seen == [True]


@pytest.fixture
def shown(make_napari_viewer):
    return make_napari_viewer(show=True)


def test_a_window_stays_alive_meanwhile(shown):
    seen, beats = [], []
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(time.monotonic()))
    timer.start(10)
    assert run_behind_a_dialog("Saving", slowly, 10, seen=seen) == 10
    timer.stop()
    assert seen == [False]
    assert len(beats) > 5


def test_the_dialog_cancels(shown):
    def cancel():
        dialogs = [
            d
            for d in shown.window._qt_window.findChildren(QProgressDialog)
            if d.isVisible()
        ]
        if dialogs:
            dialogs[0].findChild(QPushButton).click()
        else:
            QTimer.singleShot(50, cancel)

    QTimer.singleShot(50, cancel)
    started = time.monotonic()
    with pytest.raises(Cancelled, match="nothing was written"):
        run_behind_a_dialog("Saving a.tif", slowly, 1000)
    assert time.monotonic() - started < 10


def test_errors_come_through(shown):
    def fail(*, progress):
        raise WriteError("The disk is full.")

    with pytest.raises(WriteError, match="disk is full"):
        run_behind_a_dialog("Saving", fail)
