import numpy as np
import pandas as pd
import pytest
import tifffile
from npe2 import PluginManifest

from napari_mesmerize.errors import WriteError
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.results import read_results
from napari_mesmerize.widgets.hooks.writer import save_drawn, save_image, save_rois


@pytest.mark.parametrize("suffix", [".ome.tif", ".zarr", ".isxd"])
def test_a_recording_layer_is_saved_whole(session, recording, tmp_path, suffix):
    layer = session.show_recording(recording)
    data, attributes, _ = layer.as_layer_data_tuple()
    (written,) = save_image(str(tmp_path / f"movie{suffix}"), data, attributes)
    back = read_recording(written)
    np.testing.assert_array_equal(back.to_numpy(), recording.to_numpy())
    assert back.attrs["frame_rate"] == pytest.approx(10.0)


def test_any_movie_layer_and_single_images_are_saved(tmp_path):
    movie = np.random.default_rng(0).integers(0, 9, (6, 8, 9)).astype(np.uint16)
    (written,) = save_image(str(tmp_path / "a.ome.tif"), movie, {"name": "movie"})
    np.testing.assert_array_equal(read_recording(written).to_numpy(), movie)
    (written,) = save_image(str(tmp_path / "b.tif"), movie[0], {"name": "mean"})
    np.testing.assert_array_equal(tifffile.imread(written), movie[0])
    with pytest.raises(WriteError, match=r"save it as \.tif"):
        save_image(str(tmp_path / "b.isxd"), movie[0], {"name": "mean"})


def test_rois_are_saved_with_traces_and_acceptance(session, roi_set, tmp_path):
    layer = session.show_rois(roi_set)
    data, attributes, _ = layer.as_layer_data_tuple()
    (written,) = save_rois(str(tmp_path / "rois.hdf5"), data, attributes)
    back = read_results(written)
    assert back.accepted.tolist() == [True, True, True, False]
    assert len(back) == 4
    (written,) = save_rois(str(tmp_path / "traces.csv"), data, attributes)
    assert len(pd.read_csv(written)) > 0


def test_drawn_rois_are_saved_like_others(session, recording, tmp_path, qtbot):
    from napari_mesmerize.widgets.rois.manager import RoiManagerDock

    dock = RoiManagerDock(session.viewer)
    qtbot.addWidget(dock)
    layer = dock.drawing.start(session.show_recording(recording)).layer
    layer.add_polygons(np.array([[3.0, 4], [3, 12], [11, 12], [11, 4]]) * 2)
    qtbot.waitUntil(lambda: len(session.roi_set) == 1 and not dock.job.running)
    data, attributes, kind = layer.as_layer_data_tuple()
    assert kind == "shapes"
    (written,) = save_drawn(str(tmp_path / "rois.zip"), data, attributes)
    back = read_results(written, image_shape=recording.shape[1:])
    assert len(back) == 1
    (written,) = save_drawn(str(tmp_path / "traces.csv"), data, attributes)
    assert len(pd.read_csv(written)) >= recording.sizes["frame"]


def test_other_shapes_are_saved_as_napari_does(tmp_path):
    from napari.layers import Shapes

    layer = Shapes([np.array([[0, 0], [0, 5], [5, 5]])], shape_type="polygon")
    data, attributes, _ = layer.as_layer_data_tuple()
    (written,) = save_drawn(str(tmp_path / "shapes.csv"), data, attributes)
    assert len(pd.read_csv(written)) == 3
    with pytest.raises(WriteError, match="ROI manager"):
        save_drawn(str(tmp_path / "shapes.nwb"), data, attributes)


def test_labels_without_rois_are_refused_with_advice(tmp_path):
    with pytest.raises(WriteError, match="Import results"):
        save_rois(str(tmp_path / "a.csv"), np.zeros((4, 4), int), {"name": "labels"})


def test_napari_knows_the_writers():
    manifest = PluginManifest.from_distribution("napari-mesmerize")
    writers = {w.command: w for w in manifest.contributions.writers}
    assert ".isxd" in writers["napari-mesmerize.save_image"].filename_extensions
    assert ".nwb" in writers["napari-mesmerize.save_rois"].filename_extensions
