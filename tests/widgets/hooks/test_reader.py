from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mesmerize.data.recording import LayerArray, as_recording
from napari_mesmerize.errors import ReadError
from napari_mesmerize.widgets.hooks.reader import get_reader, open_results, read
from napari_mesmerize.widgets.layers.recordings import recording_of
from napari_mesmerize.widgets.session.session import get_session

DATA = Path(__file__).parents[2] / "data"
PLUGIN = "napari-mesmerize"


@pytest.fixture
def movie(tmp_path):
    frames = np.random.default_rng(0).integers(0, 99, (6, 8, 9)).astype(np.uint16)
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, frames, photometric="minisblack")
    return path, frames


def test_only_our_files_are_read(tmp_path, movie):
    assert get_reader(str(movie[0])) is read
    assert get_reader([str(movie[0])]) is read
    assert get_reader(str(movie[0]).replace(".tif", ".TIF")) is read
    assert get_reader(str(tmp_path / "notes.txt")) is None
    (tmp_path / "empty").mkdir()
    assert get_reader(str(tmp_path / "empty")) is None


def test_a_file_becomes_an_image_layer(movie):
    path, frames = movie
    ((data, options, kind),) = read(str(path))
    assert kind == "image"
    assert isinstance(data, LayerArray)
    np.testing.assert_array_equal(np.asarray(data[2]), frames[2])
    assert options["name"] == "movie"


def test_a_folder_of_frames_is_one_recording(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(12):
        frame = np.full((4, 5), i, np.uint8)
        tifffile.imwrite(folder / f"frame_{i}.tif", frame, photometric="minisblack")
    assert get_reader(str(folder)) is read
    ((data, _, _),) = read(str(folder))
    assert data.shape == (12, 4, 5)
    assert np.asarray(data[10]).max() == 10


def test_a_file_dropped_on_napari_is_opened_with_its_facts(make_napari_viewer, movie):
    path, _ = movie
    viewer = make_napari_viewer()
    (layer,) = viewer.open(str(path), plugin="napari-mesmerize")
    assert layer.metadata["mesmerize"]["recording"].sizes["frame"] == 6
    assert str(path) in layer.metadata["mesmerize"]["facts"]["source"]["uri"]


def test_a_damaged_file_says_so(tmp_path):
    path = tmp_path / "damaged.tif"
    path.write_text("this is no TIFF")
    with pytest.raises(ReadError, match=r"damaged\.tif"):
        read(str(path))


def test_a_project_folder_opens_in_the_project_dock(
    make_napari_viewer, tmp_path, qtbot
):
    from napari_mesmerize.project import create_project
    from napari_mesmerize.widgets.session.session import get_session

    create_project(tmp_path / "mine")
    viewer = make_napari_viewer()
    viewer.open(str(tmp_path / "mine"), plugin="napari-mesmerize")
    qtbot.waitUntil(lambda: get_session(viewer).project is not None)
    assert get_session(viewer).project.name == "mine"
    assert len(viewer.layers) == 0


def _drop(viewer, qtbot, path):
    """Drop a file on the canvas; return the import dock when it has read it."""
    viewer.window._qt_viewer._qt_open([str(path)], stack=False, plugin=PLUGIN)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Import results")
    for _ in range(2):
        qtbot.wait(30)
        qtbot.waitUntil(lambda: not dock.job.running, timeout=30_000)
    return dock


def test_results_dropped_on_the_canvas_go_to_the_recording(
    make_napari_viewer, qtbot, tmp_path
):
    viewer = make_napari_viewer()
    session = get_session(viewer)
    frames = np.random.default_rng(0).integers(0, 99, (9, 20, 30)).astype(np.uint16)
    layer = session.show_recording(as_recording(frames, frame_rate=5.0), name="movie")
    labels = np.zeros((20, 30), np.uint16)
    labels[2:7, 2:7] = 1
    labels[10:15, 20:25] = 2
    tifffile.imwrite(tmp_path / "masks.tif", labels)
    _drop(viewer, qtbot, tmp_path / "masks.tif")
    assert len(session.roi_set) == 2
    assert session.roi_set.recording is recording_of(layer)
    assert [other.name for other in viewer.layers] == ["movie", "masks.tif on movie"]
    dock = _drop(viewer, qtbot, DATA / "imagej" / "rois.zip")
    assert "rois.zip" in dock.path.text()


def test_a_file_with_a_movie_and_its_cells_opens_both(
    make_napari_viewer, qtbot, tmp_path
):
    pytest.importorskip("pynwb")
    from napari_mesmerize.data.components import Components
    from napari_mesmerize.io.results import write_nwb

    rng = np.random.default_rng(0)
    images = np.zeros((2, 20, 30), np.float32)
    images[0, 2:7, 2:7] = images[1, 10:15, 20:25] = 1
    traces = rng.random((2, 50)).astype(np.float32)
    frames = np.einsum("kt,kyx->tyx", traces, images).astype(np.float32)
    components = Components.build(
        images.reshape(2, -1).T, (20, 30), {"raw": traces}, frame_rate=5.0
    )
    movie = as_recording(frames, frame_rate=5.0, pixel_size_um=(1.0, 1.0))
    path = tmp_path / "both.nwb"
    write_nwb(components, path, recording=movie, movie="copy")
    viewer = make_napari_viewer()
    _drop(viewer, qtbot, path)
    session = get_session(viewer)
    assert len(session.recording_layers()) == 1
    assert len(session.roi_set) == 2
    assert session.roi_set.recording is not None
    _drop(viewer, qtbot, path)
    assert len(session.recording_layers()) == 1, "the movie was open already"


def test_each_of_two_windows_gets_what_is_dropped_on_it(make_napari_viewer, qtbot):
    first, second = make_napari_viewer(), make_napari_viewer()
    path = DATA / "isxd" / "cellset.isxd"
    from napari import current_viewer

    at_front = current_viewer()
    _drop(at_front, qtbot, path)
    other = first if at_front is second else second
    assert get_session(at_front).roi_set is not None
    assert get_session(other).roi_set is None


def test_results_need_a_window():
    with pytest.raises(ReadError, match="read_results"):
        open_results(str(DATA / "isxd" / "cellset.isxd"))
