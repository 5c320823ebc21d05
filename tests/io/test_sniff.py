import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from napari_mesmerize.io.sniff import (
    holds_recording,
    is_label_image,
    looks_like_labels,
    results_in,
)

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("suite2p", "suite2p"),
        ("suite2p/plane0", "suite2p"),
        ("suite2p/plane0/F.npy", "suite2p"),
        ("caiman/cnmf.hdf5", "caiman"),
        ("imagej/rois.zip", "imagej"),
        ("imagej/0001-polygon.roi", "imagej"),
        ("isxd/cellset.isxd", "isxd"),
        ("isxd/eventset.isxd", "isxd-events"),
        ("isxd/vessel_rbc.isxd", "isxd-vessels"),
        ("isxd/movie_f32.isxd", None),
        ("isxd/gpio_spec.isxd", None),
        ("mes/two_channels.mes", None),
        ("mesc/two_sessions.mesc", None),
    ],
)
def test_what_a_path_holds_is_seen_from_names_and_headers(name, form):
    assert results_in(DATA / name) == form
    if form is not None:
        assert not holds_recording(DATA / name)


def test_other_files_are_no_results(tmp_path):
    (tmp_path / "notes.zip").write_text("no zip")
    (tmp_path / "cut.isxd").write_bytes(b"abc")
    (tmp_path / "cut.hdf5").write_bytes(b"abc")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photo.jpg", b"1")
    with h5py.File(tmp_path / "movie.h5", "w") as file:
        file["mov"] = np.zeros((3, 4, 5), np.uint16)
    for path in (*tmp_path.iterdir(), tmp_path, tmp_path / "missing"):
        assert results_in(path) is None, path


def test_a_folder_with_a_movie_and_results_holds_both(tmp_path):
    plane = tmp_path / "suite2p" / "plane0"
    plane.mkdir(parents=True)
    for name in ("stat.npy", "F.npy", "ops.npy"):
        np.save(plane / name, np.zeros(1))
    assert not holds_recording(tmp_path)
    frames = np.zeros((3, 4, 5), np.uint8)
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    assert results_in(tmp_path) == "suite2p"
    assert holds_recording(tmp_path)


def test_labels_are_told_from_pictures(tmp_path):
    labels = np.zeros((20, 30), np.uint16)
    labels[2:7, 2:7] = 1
    labels[10:15, 20:25] = 2
    picture = np.random.default_rng(0).integers(0, 900, (20, 30)).astype(np.uint16)
    assert looks_like_labels(labels)
    assert not looks_like_labels(picture)
    assert not looks_like_labels(np.zeros((5, 5), np.uint8))
    assert not looks_like_labels(np.ones((5, 5), np.float32))
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, labels)
    assert is_label_image(path, [(20, 30)])
    assert is_label_image(path, [(30, 20)])
    assert not is_label_image(path, [(20, 31)])
    assert not is_label_image(path, [])
    tifffile.imwrite(tmp_path / "mean.tif", picture)
    assert not is_label_image(tmp_path / "mean.tif", [(20, 30)])
    (tmp_path / "cut.tif").write_text("no TIFF")
    assert not is_label_image(tmp_path / "cut.tif", [(20, 30)])
