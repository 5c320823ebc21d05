import numpy as np
import pytest
import tifffile

from napari_mesmerize.errors import ReadError
from napari_mesmerize.recording import LayerArray
from napari_mesmerize.widgets.reader import get_reader, read


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


def test_a_project_folder_opens_in_the_project_dock(make_napari_viewer, tmp_path):
    from napari_mesmerize.project import create_project
    from napari_mesmerize.widgets.session import get_session

    create_project(tmp_path / "mine")
    viewer = make_napari_viewer()
    viewer.open(str(tmp_path / "mine"), plugin="napari-mesmerize")
    assert get_session(viewer).project.name == "mine"
    assert len(viewer.layers) == 0
