"""Make docs/images/files_*.png: opening, facts, import, stimuli, saving, in a window.

Run it on a display of 1600 x 1000 pixels:

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_files_screenshots.py

The test data of the repository stand for a lab's files.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from make_screenshots import IMAGES, PLUGIN, Tutorial

DATA = Path(__file__).parents[1] / "tests" / "data"


class Pictures(Tutorial):
    """The tutorial's window, other pictures."""

    def save(self, name):
        """Write a picture of the window."""
        IMAGES.mkdir(exist_ok=True)
        self.wait(1.0)
        path = IMAGES / f"files_{name}.png"
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        print(path)

    def save_dialog(self, name, title, folder):
        """Open napari's dialog for saving layers, and write a picture of it."""
        from qtpy.QtCore import QTimer
        from qtpy.QtWidgets import QApplication, QFileDialog, QLineEdit

        def shoot():
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QFileDialog):
                QTimer.singleShot(200, shoot)
                return
            dialog.setDirectory(str(folder))
            dialog.resize(760, 300)
            ours = next(n for n in dialog.nameFilters() if PLUGIN in n)
            dialog.selectNameFilter(ours)
            dialog.findChild(QLineEdit).setText(title)
            self.wait(0.5)
            path = IMAGES / f"files_{name}.png"
            dialog.grab().save(str(path))
            print(path)
            dialog.reject()

        QTimer.singleShot(500, shoot)
        self.viewer.window._qt_viewer._save_layers_dialog(selected=True)
        self.wait()


def make_files(folder):
    """Write a lab's files: a movie, what a program found in it, others' formats."""
    from napari_mesmerize import extract_components, simulate
    from napari_mesmerize.io import write_recording
    from napari_mesmerize.io.results import reorient, write_results

    movie, _ = simulate("2p-small", seed=1)
    components = extract_components(movie)
    movie.attrs |= {"pixel_size_um": None, "date": None, "origin": None}
    write_recording(movie, folder / "mouse01_day1.ome.tif")
    write_results(components, folder / "suite2p")
    write_results(reorient(components, "flip_y"), folder / "flipped.hdf5")
    for name in ("mesc/two_sessions.mesc", "mes/two_channels.mes"):
        shutil.copy(DATA / name, folder)


def main():
    """Open, complete, import, map and save."""
    os.environ.setdefault("NAPARI_CONFIG", tempfile.mkdtemp() + "/settings.yaml")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "imaging"
        folder.mkdir()
        make_files(folder)
        pictures = Pictures()
        opening(pictures, folder)
        facts(pictures, folder)
        importing(pictures, folder)
        saving(pictures, folder)
        stimuli(pictures, folder)
        pictures.viewer.close()


def opening(pictures, folder):
    """Look into files of several kinds, and open one."""
    dock = pictures.open("Open recordings")
    names = ("mouse01_day1.ome.tif", "two_sessions.mesc", "two_channels.mes")
    dock.joined.setChecked(False)
    dock.look_into([folder / name for name in names])
    pictures.finish(dock)
    pictures.finish(dock)
    pictures.save("open")
    dock.open.click()
    pictures.finish(dock)
    pictures.close_docks()


def facts(pictures, folder):
    """Give the facts that the file lacks."""
    viewer = pictures.viewer
    show_mean_of_some_frames(viewer, viewer.layers[0])
    dock = pictures.open("Recording facts")
    pictures.fit()
    dock.pixel_y.setValue(0.8)
    dock.pixel_x.setValue(0.8)
    dock.date.setText("2026-01-31T14:05:00")
    dock.origin.setText("resonant two-photon")
    pictures.save("facts")
    dock.apply.click()
    pictures.close_docks()


def importing(pictures, folder):
    """Import what fits, and what was turned."""
    dock = pictures.open("Import results")
    dock.look_at(folder / "flipped.hdf5", show=True)
    pictures.finish(dock)
    pictures.fit()
    dock.path.setText("/home/me/imaging/flipped.hdf5")
    pictures.save("import_warning")
    dock.look_at(folder / "suite2p", show=True)
    pictures.finish(dock)
    pictures.finish(dock)
    dock.path.setText("/home/me/imaging/suite2p")
    pictures.open("Traces")
    pictures.fit()
    roi_set = pictures.session().roi_set
    accepted = np.flatnonzero(roi_set.table["accepted"])
    traces = roi_set.traces("raw")[accepted]
    roi_set.select(int(accepted[np.ptp(traces, axis=1).argmax()]))
    pictures.save("import")
    pictures.close_docks()


def saving(pictures, folder):
    """Show what File > Save offers for ROIs."""
    folder = folder.with_name("results")
    folder.mkdir()
    layers = pictures.viewer.layers
    layers.selection = {pictures.session().roi_layer.layer}
    pictures.save_dialog("save_rois", "mouse01_day1.nwb", folder)


def stimuli(pictures, folder):
    """Name the levels of a voltage channel."""
    viewer = pictures.viewer
    viewer.layers.clear()
    viewer.dims.margin_left = viewer.dims.margin_right = (0, 0, 0)
    viewer.open(str(folder / "two_channels.mes"), plugin="napari-mesmerize")
    viewer.layers.selection = {viewer.layers[0]}
    viewer.dims.set_current_step(0, 10)
    dock = pictures.open("Stimulus mapping")
    pictures.finish(dock)
    pictures.open("Traces")
    pictures.fit()
    for row, name in ((1, "acid"), (2, "mint")):
        dock.table.set_name(row, name)
    dock.kind.setCurrentText("odour")
    dock.make.click()
    pictures.fit()
    pictures.save("stimuli")
    pictures.close_docks()


def show_mean_of_some_frames(viewer, layer):
    """Show the mean of some frames, in which cells stand out."""
    viewer.dims.set_current_step(0, 475)
    viewer.dims.margin_left = (4, 0, 0)
    viewer.dims.margin_right = (4, 0, 0)
    shown = np.mean(layer.data[471:480], axis=0)
    layer.contrast_limits = tuple(map(float, np.percentile(shown, (0.5, 99.6))))


if __name__ == "__main__":
    main()
