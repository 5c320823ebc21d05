"""What is written is read back the same, whole, and replaces only when told."""

import io

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import ParameterError, WriteError
from napari_mesmerize.io.results import (
    read_result_images,
    read_results,
    write_caiman,
    write_imagej_rois,
    write_mat,
    write_results,
    write_suite2p,
    write_table_csv,
    write_traces_csv,
)


def same_footprints(one, other):
    return abs(one.footprints - other.footprints).max() == 0


def test_wide_csv_equals_the_arrays_bit_for_bit(components, tmp_path):
    path = write_traces_csv(components, tmp_path / "a.csv")
    table = pd.read_csv(path, engine="pyarrow")
    assert list(table.columns) == ["frame", "time_s", *components.roi_ids]
    values = table[list(components.roi_ids)].to_numpy()
    np.testing.assert_array_equal(values.T, components.traces["raw"])
    np.testing.assert_array_equal(table["time_s"], np.arange(30) / 12.5)


def test_long_csv_equals_the_arrays_bit_for_bit(components, tmp_path):
    times = np.random.default_rng(0).random(30)
    path = write_traces_csv(components, tmp_path / "a.csv", layout="long", time_s=times)
    table = pd.read_csv(path, engine="pyarrow")
    assert list(table.columns) == ["roi_id", "frame", "time_s", *components.traces]
    assert list(table["roi_id"].iloc[::30]) == list(components.roi_ids)
    for kind, traces in components.traces.items():
        np.testing.assert_array_equal(table[kind].to_numpy().reshape(5, 30), traces)
    np.testing.assert_array_equal(table["time_s"].to_numpy().reshape(5, 30)[3], times)


def test_csv_is_written_in_parts_with_extreme_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_mesmerize.io.csv._ROWS", 7)
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**32, (3, 50), dtype=np.uint64).astype(np.uint32)
    values = bits.view(np.float32).copy()
    values[0, :4] = [np.nan, np.inf, -np.inf, -0.0]
    some = Components.build(np.eye(4, 3), (2, 2), {"raw": values})
    for layout in ("wide", "long"):
        path = write_traces_csv(some, tmp_path / f"{layout}.csv", layout=layout)
        table = pd.read_csv(path, engine="pyarrow")
        assert "time_s" not in table
        back = (
            table[list(some.roi_ids)].to_numpy().T
            if layout == "wide"
            else table["raw"].to_numpy().reshape(3, 50)
        )
        np.testing.assert_array_equal(back.astype(np.float32), values)


def test_csv_options_are_checked(components, tmp_path):
    path = tmp_path / "a.csv"
    with pytest.raises(ParameterError, match="expected 'wide' or 'long'"):
        write_traces_csv(components, path, layout="tall")
    with pytest.raises(ParameterError, match="no trace 'zscore'; there are raw"):
        write_traces_csv(components, path, kinds=["zscore"])
    with pytest.raises(ParameterError, match="30 frames; give one time stamp"):
        write_traces_csv(components, path, time_s=[1, 2])
    without = Components.build(components.footprints, (14, 11), {})
    with pytest.raises(ParameterError, match="no traces to write"):
        write_traces_csv(without, path)
    assert list(tmp_path.iterdir()) == []


def test_an_roi_table_as_csv(components, tmp_path):
    rois = roi_table_from_components(components)
    path = write_table_csv(rois, tmp_path / "rois.csv")
    table = pd.read_csv(path, index_col="roi_id", engine="pyarrow")
    assert list(table.index) == list(rois.index)
    np.testing.assert_array_equal(table["snr"], rois["snr"])
    outline = pd.read_json(io.StringIO(table["outline"].iloc[2])).to_numpy()
    np.testing.assert_array_equal(outline, rois["outline"].iloc[2])


@pytest.mark.parametrize("kind", ["components", "volume_components"])
def test_caiman_file_comes_back_the_same(kind, request, tmp_path):
    components = request.getfixturevalue(kind)
    mean = np.random.default_rng(0).random(components.image_shape)
    path = write_caiman(components, tmp_path / "a.hdf5", images={"mean": mean})
    found = read_results(path)
    assert found.image_shape == components.image_shape
    assert same_footprints(found, components)
    for name in ("denoised", "spikes", "dff"):
        np.testing.assert_array_equal(found.traces[name], components.traces[name])
    np.testing.assert_allclose(
        found.traces["raw"], components.traces["raw"], rtol=1e-5, atol=1e-5
    )
    np.testing.assert_array_equal(found.accepted, components.accepted)
    np.testing.assert_array_equal(found.scores["snr"], components.scores["snr"])
    np.testing.assert_array_equal(
        found.background.spatial, components.background.spatial
    )
    assert found.frame_rate == 12.5
    np.testing.assert_allclose(read_result_images(path)["mean"], mean, rtol=1e-6)


def test_suite2p_folder_comes_back_the_same(components, tmp_path):
    mean = np.random.default_rng(0).random((14, 11)).astype(np.float32)
    path = write_suite2p(components, tmp_path / "suite2p", images={"mean": mean})
    found = read_results(path)
    assert same_footprints(found, components)
    for name in ("raw", "neuropil", "spikes"):
        np.testing.assert_array_equal(found.traces[name], components.traces[name])
    np.testing.assert_array_equal(found.accepted, components.accepted)
    assert found.frame_rate == 12.5
    np.testing.assert_array_equal(read_result_images(path)["mean"], mean)
    stat = np.load(path / "plane0" / "stat.npy", allow_pickle=True)
    assert stat.shape == (5,)
    needed = {"ypix", "xpix", "lam", "med", "npix", "radius", "compact", "overlap"}
    assert needed | {"aspect_ratio", "footprint", "skew", "std"} <= set(stat[0])


def test_suite2p_has_no_volumes(volume_components, tmp_path):
    with pytest.raises(ParameterError, match="Suite2p has single planes"):
        write_suite2p(volume_components, tmp_path / "suite2p")


def test_imagej_rois_come_back_the_same(components, tmp_path):
    rois = roi_table_from_components(components)
    rois["name"] = ["a", "a", "b/c", "µ", ""]
    path = write_imagej_rois(rois, tmp_path / "rois.zip")
    found = read_results(path)
    assert list(found["name"]) == ["a", "a", "b/c", "µ", "0005"]
    for one, other in zip(found["outline"], rois["outline"], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    pixels = read_results(path, image_shape=components.image_shape)
    shown = (
        components.footprints.toarray() > 0.2 * components.footprints.max(0).toarray()
    )
    assert ((pixels.footprints.toarray() > 0) == shown).mean() > 0.97


def test_imagej_composites_lines_and_planes_come_back(tmp_path, volume_components):
    square = [[0.5, 0.5], [0.5, 9.5], [9.5, 9.5], [9.5, 0.5]]
    hole = [[3.5, 3.5], [6.5, 3.5], [6.5, 6.5], [3.5, 6.5]]
    rois = pd.DataFrame(
        {
            "outline": [square, [[1.0, 1.0], [5.0, 6.0]], []],
            "type": ["composite", "polyline", "none"],
            "rings": [[square, hole], None, None],
            "z": [2, 0, 0],
            "t": [0, 7, 0],
        }
    )
    found = read_results(write_imagej_rois(rois, tmp_path / "a.zip"))
    assert list(found["type"]) == ["composite", "polyline"]
    np.testing.assert_allclose(found["rings"].iloc[0], [square, hole])
    np.testing.assert_allclose(found["outline"].iloc[1], [[1, 1], [5, 6]])
    assert (found["z"].iloc[0], found["t"].iloc[1]) == (2, 7)
    volume = read_results(write_imagej_rois(volume_components, tmp_path / "b.zip"))
    assert list(volume["z"]) == [1, 2, 3, 1, 2]


@pytest.mark.parametrize("kind", ["components", "volume_components"])
def test_matlab_file_has_images_in_matlabs_order(kind, request, tmp_path):
    components = request.getfixturevalue(kind)
    content = loadmat(write_mat(components, tmp_path / "a.mat"), squeeze_me=True)
    size = tuple(content["image_size"].astype(int))
    for i in range(5):
        column = content["footprints"].tocsc()[:, [i]].toarray()
        image = column.reshape(size, order="F")
        image = image.transpose(2, 0, 1) if image.ndim == 3 else image
        np.testing.assert_array_equal(image, components.footprint_image(i))
    traces = content["traces"]
    for kind_of_trace, values in components.traces.items():
        np.testing.assert_array_equal(traces[kind_of_trace].item(), values)
    np.testing.assert_array_equal(
        content["scores"]["snr"].item(), components.scores["snr"]
    )
    assert list(content["roi_ids"]) == list(components.roi_ids)
    assert content["frame_rate"] == 12.5


@pytest.mark.parametrize(
    "name", ["a.csv", "a.zip", "a.hdf5", "a.h5", "suite2p", "a.mat", "a.nwb", "a.isxd"]
)
def test_the_suffix_says_the_format(name, components, tmp_path):
    path = write_results(components, tmp_path / name)
    assert path.exists()
    if path.suffix not in (".csv", ".mat"):
        found = read_results(path, image_shape=None if name == "a.zip" else (14, 11))
        assert len(found) == 5


def test_an_unknown_suffix_is_named_with_the_known(components, tmp_path):
    with pytest.raises(ParameterError, match=r"use a suffix of \.csv, \.zip"):
        write_results(components, tmp_path / "a.xyz")
    with pytest.raises(ParameterError, match="format= one of csv, imagej"):
        write_results(components, tmp_path / "a.csv", format="excel")


WRITERS = {
    "a.mat": write_mat,
    "a.csv": write_traces_csv,
    "b.csv": lambda c, *a, **k: write_table_csv(c.scores, *a, **k),
    "a.zip": write_imagej_rois,
    "a.hdf5": write_caiman,
    "suite2p": write_suite2p,
}


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_is_replaced_unless_told_and_nothing_stays_half(
    name, components, tmp_path
):
    write, path = WRITERS[name], tmp_path / name
    write(components, path)
    before = sorted(str(p) for p in tmp_path.rglob("*"))
    with pytest.raises(
        WriteError, match="exists; choose another name or say overwrite"
    ):
        write(components, path)
    write(components.select([0, 1]), path, overwrite=True)
    with pytest.raises(WriteError, match="does not exist; make it first"):
        write(components, tmp_path / "absent" / name)
    assert sorted(str(p) for p in tmp_path.rglob("*")) == before
