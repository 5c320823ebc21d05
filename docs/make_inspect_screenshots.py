"""Make docs/images/inspect_*.png and evaluation_*.png in a real window.

Run it on a display of 1600 x 1000 pixels:

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_inspect_screenshots.py
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from make_screenshots import IMAGES, Tutorial

MOVIE = "miniscope"


class Pictures(Tutorial):
    """The tutorial's window, other pictures."""

    def save(self, name):
        """Write a picture of the window."""
        IMAGES.mkdir(exist_ok=True)
        self.wait(1.0)  # a first painting takes its time
        path = IMAGES / f"{name}.png"
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        print(path)

    def show_bottom(self, dock):
        """Scroll a dock to its end."""
        self.wait(0.2)
        bar = dock.verticalScrollBar()
        bar.setValue(bar.maximum())


def main():
    """Inspect, preview, extract, evaluate and merge in a miniscope recording."""
    os.environ.setdefault("NAPARI_CONFIG", tempfile.mkdtemp() + "/settings.yaml")
    from napari_mesmerize import simulate
    from napari_mesmerize.widgets.session.session import get_session

    pictures = Pictures()
    viewer = pictures.viewer
    session = get_session(viewer)
    session.show_recording(simulate("1p-small", seed=1).recording, name=MOVIE)
    pictures.fit()

    inspect(pictures)
    preview(pictures)
    cnmf = pictures.open("CNMF")
    cnmf.engine.setCurrentIndex(1)
    cnmf.run.click()
    pictures.finish(cnmf)
    pictures.close_docks()
    for layer in viewer.layers:
        layer.visible = layer.name == MOVIE or layer is session.roi_layer.layer

    evaluate(pictures, session)
    viewer.close()


def inspect(pictures):
    """Compute the images, move the thresholds."""
    dock = pictures.open("Inspect correlation & PNR")
    dock.estimate.click()
    pictures.finish(dock)
    dock.compute.click()
    pictures.finish(dock)
    pictures.fit()
    dock.min_corr.setValue(0.8)
    dock.min_pnr.setValue(7.5)
    pictures.save("inspect_correlation")
    dock.shown.setCurrentText("recording")
    dock.hand_over.click()
    pictures.close_docks()
    seeds = pictures.viewer.layers[f"seeds of {MOVIE}"]
    seeds.visible = False


def preview(pictures):
    """Draw a region and extract from it."""
    cnmf = pictures.open("CNMF")
    cnmf.engine.setCurrentIndex(1)
    cnmf.region.draw.click()
    region = pictures.viewer.layers["preview region"]
    scale = region.scale
    height, width = 30, 100
    corners = np.array([[height, 20], [height, width], [90, width], [90, 20]])
    region.add_rectangles(corners * 1.0)
    region.edge_width = 1 / max(scale)
    region.mode = "pan_zoom"
    cnmf.preview.click()
    pictures.finish(cnmf)
    pictures.show_bottom(cnmf)
    pictures.save("inspect_preview")
    pictures.close_docks()


def evaluate(pictures, session):
    """Move thresholds, then choose two ROIs to merge."""
    from napari_mesmerize.curation.merge_split import related

    roi_set = session.roi_set
    dock = pictures.open("Component evaluation")
    pictures.fit()
    dock.editors["min_snr"].set_value(6.0)
    dock.editors["min_shape_corrected"].set_value(0.8)
    rejected = np.flatnonzero(~roi_set.table["accepted"].to_numpy(bool))
    roi_set.select(int(rejected[0]))
    pictures.save("evaluation_thresholds")
    dock.reset.click()
    components = roi_set.components
    accepted = np.flatnonzero(components.accepted)
    best = max(accepted, key=lambda i: related(components, i)["overlap"].max())
    roi_set.select(int(best))
    pictures.wait()
    box = dock.merge_split
    box.neighbours.item(0).setCheckState(box.neighbours.item(0).checkState().Checked)
    pictures.show_bottom(dock)
    pictures.save("evaluation_merge")
    pictures.close_docks()


if __name__ == "__main__":
    main()
