"""Make docs/images/napari_*.png: the tutorial, step by step, in a real window.

Run it on a display of 1600 x 1000 pixels:

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py

``IMAGES`` and ``SIZE`` (such as ``1280x800``) in the environment choose another folder
and another size of the window.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

IMAGES = Path(os.environ.get("IMAGES", Path(__file__).parent / "images"))
SIZE = tuple(map(int, os.environ.get("SIZE", "1500x940").split("x")))
PLUGIN = "napari-mesmerize"


class Tutorial:
    """Napari with the plugin, driven as a user would."""

    def __init__(self):
        import napari

        self.viewer = napari.Viewer(show=False, title="napari")
        self.window = self.viewer.window._qt_window
        self.window.resize(*SIZE)
        self.window.show()
        self.docks = []

    def wait(self, seconds=0.3):
        """Let Qt draw."""
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    def session(self):
        """Return what the docks share."""
        from napari_mesmerize.widgets.session.session import get_session

        return get_session(self.viewer)

    def finish(self, dock, limit_s=300):
        """Wait for the job of a dock."""
        started = time.monotonic()
        self.wait(0.1)
        while dock.job.running:
            self.wait(0.1)
            if time.monotonic() - started > limit_s:
                sys.exit(f"{type(dock).__name__} needs more than {limit_s} s.")
        self.wait(0.5)

    def open(self, name):
        """Open a dock and return its widget."""
        dock, widget = self.viewer.window.add_plugin_dock_widget(PLUGIN, name)
        self.docks.append(dock)
        self.wait(0.3)
        return widget

    def close_docks(self):
        """Close all docks of the plugin."""
        for dock in self.docks:
            self.viewer.window.remove_dock_widget(dock)
        self.docks.clear()
        self.wait(0.2)

    def fit(self):
        """Show the whole recording."""
        self.wait(0.2)
        self.viewer.reset_view()
        self.wait(0.3)

    def save(self, name):
        """Write a picture of the window."""
        IMAGES.mkdir(exist_ok=True)
        self.wait(1.0)  # a first painting takes its time
        path = IMAGES / f"napari_{name}.png"
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        print(path)

    def save_menu(self, name):
        """Write a picture of the plugin's menu, opened."""
        from qtpy.QtWidgets import QApplication

        bar, menu = self.window.menuBar(), self.viewer.window.plugins_menu
        title = next(a for a in bar.actions() if a.menu() is menu)
        menu.aboutToShow.emit()
        menu.popup(bar.mapToGlobal(bar.actionGeometry(title).bottomLeft()))
        self.wait()
        menu.setActiveAction(next(a for a in menu.actions() if a.text() == PLUGIN))
        self.wait(1.0)
        path = IMAGES / f"napari_{name}.png"
        corner = self.window.mapToGlobal(self.window.rect().topLeft())
        screen = QApplication.primaryScreen()
        screen.grabWindow(0, corner.x(), corner.y(), 660, 330).save(str(path))
        print(path)
        menu.close()
        self.wait()


def main():
    """Do the tutorial on the two-photon sample."""
    os.environ.setdefault("NAPARI_CONFIG", tempfile.mkdtemp() + "/settings.yaml")
    from napari_mesmerize.widgets.session.session import get_session

    tutorial = Tutorial()
    viewer = tutorial.viewer
    viewer.open_sample(PLUGIN, "2p-small", wait=True)
    viewer.dims.set_current_step(0, 475)
    tutorial.fit()
    tutorial.save("recording")
    tutorial.save_menu("menu")

    motion = tutorial.open("Motion correction")
    motion.run.click()
    tutorial.finish(motion)
    tutorial.fit()
    tutorial.save("motion")
    motion.view.side_by_side.setChecked(True)
    tutorial.save("side_by_side")
    motion.view.side_by_side.setChecked(False)
    tutorial.close_docks()

    cnmf = tutorial.open("CNMF")
    cnmf.run.click()
    tutorial.finish(cnmf)
    tutorial.fit()
    tutorial.save("components")
    tutorial.close_docks()

    manager = tutorial.open("ROI manager")
    tutorial.open("Traces")
    tutorial.fit()
    curate(tutorial, manager, get_session(viewer).roi_set)
    tutorial.save("overview")
    draw(tutorial, manager, get_session(viewer).roi_set)
    tutorial.close_docks()

    project = tutorial.open("Project")
    folder = Path(tempfile.mkdtemp()) / "my_project"
    project.create_at(folder)
    project.title.setText("<b>my_project</b><br>/home/me/my_project")
    project.animal.setText("m01")
    project.trial.setText("day1")
    project.comments.setPlainText("two-photon, layer 2/3, gratings")
    tutorial.wait()
    project.add.click()
    tutorial.finish(project)
    tutorial.fit()
    tutorial.save("project")
    tutorial.close_docks()

    for layer in viewer.layers:
        layer.visible = layer.name == "2p-small"
    viewer.dims.margin_left = viewer.dims.margin_right = (0, 0, 0)
    motion = tutorial.open("Motion correction")
    motion.chooser.choose(viewer.layers["2p-small"])
    motion.engine.setCurrentIndex(1)
    motion.show_patches.setChecked(True)
    tutorial.fit()
    tutorial.save("patches")
    tutorial.close_docks()
    bend(tutorial)
    viewer.close()


def bend(tutorial):
    """Correct tissue that bends, and draw the bending of a frame."""
    from napari_mesmerize import simulate

    viewer = tutorial.viewer
    viewer.layers.clear()
    moving = simulate("2p-small", motion="piecewise", seed=1).recording
    tutorial.session().show_recording(moving, name="bending tissue")
    motion = tutorial.open("Motion correction")
    motion.engine.setCurrentIndex(1)
    motion.run.click()
    tutorial.finish(motion)
    tutorial.fit()
    motion.view.what.setCurrentText("Bending")
    largest = motion.view.plot.getPlotItem().listDataItems()[0].getData()[1]
    viewer.dims.set_current_step(0, int(np.argmax(largest)))
    motion.view.field.setChecked(True)
    bar = motion.verticalScrollBar()
    tutorial.wait()
    bar.setValue(bar.maximum())
    tutorial.save("bending")
    tutorial.close_docks()


def curate(tutorial, manager, roi_set):
    """Tag some ROIs, and leave one selected at a frame where it is active."""
    accepted = [i for i in range(len(roi_set)) if roi_set.table["accepted"].iat[i]]
    roi_set.add_tag_column("cell_type")
    for i in accepted:
        snr = float(roi_set.table["snr"].iat[i])
        roi_set.set_tag("cell_type", "bright" if snr > 25 else "dim", [i])
    inside = [i for i in accepted if is_inside(roi_set, i)]
    by_snr = sorted(inside, key=lambda i: -float(roi_set.table["snr"].iat[i]))
    best = by_snr[len(by_snr) // 6]
    roi_set.select(best)
    manager.tags.column.setCurrentText("cell_type")
    peak = int(roi_set.traces("denoised")[best].argmax())
    viewer = tutorial.viewer
    viewer.dims.set_current_step(0, peak)
    # the mean of some frames shows cells that one noisy frame hides
    viewer.dims.margin_left = (4, 0, 0)
    viewer.dims.margin_right = (4, 0, 0)
    layer = viewer.layers["2p-small corrected"]
    shown = np.mean(layer.data[max(peak - 4, 0) : peak + 5], axis=0)
    layer.contrast_limits = tuple(map(float, np.percentile(shown, (0.5, 99.6))))
    tutorial.wait()


def draw(tutorial, manager, roi_set):
    """Draw an ROI by hand beside the others; then remove its layer."""
    viewer, session = tutorial.viewer, tutorial.session()
    found = session.roi_layer
    manager.draw.click()
    layer = viewer.layers.selection.active
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    layer.add_polygons(free_place(roi_set) + 5 * ring)
    tutorial.wait(0.5)
    tutorial.finish(manager)
    tutorial.save("drawn")
    layer.visible = False
    session.activate(found.roi_set)
    viewer.layers.selection.active = found.layer
    tutorial.wait()


def free_place(roi_set):
    """Return the middle of the largest place without an ROI."""
    from scipy import ndimage

    shape = roi_set.components.image_shape
    taken = np.asarray(roi_set.areas.sum(axis=1)).reshape(shape) > 0
    taken[:6], taken[-6:], taken[:, :6], taken[:, -6:] = True, True, True, True
    distance = ndimage.distance_transform_edt(~taken)
    return np.array(np.unravel_index(distance.argmax(), shape))


def is_inside(roi_set, position, margin=12):
    """Say whether an ROI lies away from the edges of the image."""
    points = np.asarray(roi_set.table["outline"].iat[position])
    shape = np.asarray(roi_set.components.image_shape)
    return (points > margin).all() and (points < shape - margin).all()


if __name__ == "__main__":
    main()
