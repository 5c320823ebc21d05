"""Suite2p's folders: which trace is whose, which pixel is where."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.results import detect_format, read_result_images, read_results

DATA = Path(__file__).parents[2] / "data" / "suite2p"
HEIGHT, WIDTH, N_FRAMES = 20, 30, 15


def make_plane(folder, n_rois=4, *, old=False, seed=0, shape=(HEIGHT, WIDTH)):
    """Write a plane folder; ROI i lies at row i + 1, columns 2 i to 2 i + 3."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    stat = np.empty(n_rois, object)
    for i in range(n_rois):
        stat[i] = {
            "ypix": np.full(4, i + 1),
            "xpix": np.arange(4) + 2 * i,
            "lam": np.arange(1, 5, dtype=np.float32) + i,
            "overlap": np.array([True, False, False, False]),
            "skew": np.float32(i / 2),
            "npix": 4,
        }
    traces = {
        name: random.random((n_rois, N_FRAMES)).astype(np.float32)
        for name in ("F", "Fneu", "spks")
    }
    for name, values in traces.items():
        np.save(folder / f"{name}.npy", values)
    np.save(folder / "stat.npy", stat, allow_pickle=True)
    is_cell = np.stack([np.arange(n_rois) % 2, np.linspace(0, 1, n_rois)], axis=1)
    np.save(folder / "iscell.npy", is_cell)
    size = {"Ly": shape[0], "Lx": shape[1], "yrange": [2, 18], "xrange": [1, 30]}
    images = {
        "meanImg": random.random(shape).astype(np.float32),
        "max_proj": random.random((16, 29)).astype(np.float32),
    }
    if old:
        np.save(folder / "ops.npy", {**size, **images, "fs": 7.5, "neucoeff": 0.5})
    else:
        np.save(folder / "db.npy", {**size, "meanImg": images["meanImg"]})
        settings = {"fs": 7.5, "extraction": {"neuropil_coefficient": 0.5}}
        np.save(folder / "settings.npy", settings)
        np.save(folder / "detect_outputs.npy", {"max_proj": images["max_proj"]})
    return traces, images


@pytest.mark.parametrize("old", [False, True])
def test_footprints_traces_and_scores_stay_together(tmp_path, old):
    traces, images = make_plane(tmp_path / "suite2p" / "plane0", old=old)
    found = read_results(tmp_path)
    assert detect_format(tmp_path) == "suite2p"
    assert found.image_shape == (HEIGHT, WIDTH)
    assert found.frame_rate == 7.5
    np.testing.assert_array_equal(found.traces["raw"], traces["F"])
    np.testing.assert_array_equal(found.traces["neuropil"], traces["Fneu"])
    np.testing.assert_array_equal(found.traces["spikes"], traces["spks"])
    np.testing.assert_allclose(
        found.traces["corrected"], traces["F"] - 0.5 * traces["Fneu"], rtol=1e-6
    )
    for i in range(4):
        image = np.zeros((HEIGHT, WIDTH))
        image[i + 1, 2 * i : 2 * i + 4] = np.arange(1, 5) + i
        np.testing.assert_array_equal(found.footprint_image(i), image)
    assert list(found.accepted) == [False, True, False, True]
    assert list(found.scores["skew"]) == [0, 0.5, 1, 1.5]
    assert list(found.scores["component"]) == [0, 1, 2, 3]
    shown = read_result_images(tmp_path)
    np.testing.assert_array_equal(shown["mean"], images["meanImg"])
    np.testing.assert_array_equal(shown["max"][2:18, 1:30], images["max_proj"])
    assert shown["max"].shape == (HEIGHT, WIDTH)


def test_only_accepted_selects_all_parts_at_once(tmp_path):
    traces, _ = make_plane(tmp_path / "plane0")
    found = read_results(tmp_path / "plane0" / "stat.npy", only_accepted=True)
    np.testing.assert_array_equal(found.traces["spikes"], traces["spks"][[1, 3]])
    assert list(found.scores["component"]) == [1, 3]
    assert found.footprint_image(1)[4, 6] == 4


def test_options_of_neuropil_and_overlap(tmp_path):
    traces, _ = make_plane(tmp_path / "plane0")
    found = read_results(tmp_path, neuropil_factor=1, overlap=False)
    np.testing.assert_allclose(
        found.traces["corrected"], traces["F"] - traces["Fneu"], rtol=1e-5
    )
    assert (np.diff(found.footprints.indptr) == 3).all()


def test_planes_are_a_volume_or_one_by_one(tmp_path):
    folder = tmp_path / "suite2p"
    planes = [make_plane(folder / f"plane{k}", seed=k)[0] for k in range(11)]
    make_plane(folder / "combined")
    found = read_results(folder)
    assert found.image_shape == (11, HEIGHT, WIDTH)
    assert len(found) == 44
    assert list(found.scores["plane"].iloc[[0, 8, 43]]) == [0, 2, 10]
    np.testing.assert_array_equal(found.traces["raw"][8:12], planes[2]["F"])
    assert found.footprint_image(9)[2, 2, 2] == 2
    images = read_result_images(folder)
    assert images["mean"].shape == (11, HEIGHT, WIDTH)
    alone = read_result_images(folder / "plane10")["max"]
    np.testing.assert_array_equal(images["max"][10], alone)
    second = read_results(folder, plane=1)
    assert second.image_shape == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(second.traces["raw"], planes[1]["F"])
    with pytest.raises(ReadError, match="has 11 plane"):
        read_results(folder, plane=11)


def test_planes_of_other_shapes_or_frames(tmp_path):
    make_plane(tmp_path / "plane0")
    make_plane(tmp_path / "plane1")
    for name in ("F", "Fneu", "spks"):
        path = tmp_path / "plane1" / f"{name}.npy"
        np.save(path, np.load(path)[:, :-1])
    assert read_results(tmp_path).n_frames == N_FRAMES - 1
    (tmp_path / "plane1" / "detect_outputs.npy").unlink()
    assert list(read_result_images(tmp_path)) == ["mean"]
    make_plane(tmp_path / "plane2", shape=(HEIGHT + 1, WIDTH))
    with pytest.raises(ReadError, match=r"different shapes .* one by one: plane=0"):
        read_results(tmp_path)


def test_rois_that_were_merged_into_others_are_left_out(tmp_path):
    make_plane(tmp_path / "plane0")
    stat = np.load(tmp_path / "plane0" / "stat.npy", allow_pickle=True)
    stat[1]["inmerge"], stat[2]["inmerge"], stat[3]["imerge"] = 3, 0, [1]
    np.save(tmp_path / "plane0" / "stat.npy", stat, allow_pickle=True)
    assert list(read_results(tmp_path).scores["component"]) == [0, 2, 3]


def test_optional_files_may_be_absent(tmp_path):
    make_plane(tmp_path / "plane0")
    for name in ("Fneu.npy", "spks.npy", "iscell.npy", "db.npy", "settings.npy"):
        (tmp_path / "plane0" / name).unlink()
    with pytest.raises(ReadError, match=r"give it: image_shape=\(height, width\)"):
        read_results(tmp_path)
    found = read_results(tmp_path, image_shape=(HEIGHT, WIDTH))
    assert list(found.traces) == ["raw"]
    assert found.accepted.all()
    assert found.frame_rate is None


def test_real_output():
    pytest.importorskip("numpy._core", reason="the sample was pickled by NumPy 2")
    found = read_results(DATA)
    assert (len(found), found.image_shape) == (46, (128, 128))
    assert int(found.accepted.sum()) == 40
    assert found.frame_rate == 15.0
    stat = np.load(DATA / "plane0" / "stat.npy", allow_pickle=True)
    for i in (0, 17, 45):
        image = np.zeros((128, 128), np.float32)
        image[stat[i]["ypix"], stat[i]["xpix"]] = stat[i]["lam"]
        np.testing.assert_array_equal(found.footprint_image(i), image)


def test_files_that_do_not_fit_each_other_are_named(tmp_path):
    make_plane(tmp_path / "plane0")
    path = tmp_path / "plane0" / "spks.npy"
    np.save(path, np.load(path)[:-1])
    with pytest.raises(ReadError, match=r"spks\.npy has shape \(3, 15\), expected"):
        read_results(tmp_path)
    path.unlink()
    np.save(tmp_path / "plane0" / "iscell.npy", np.zeros((3, 2)))
    with pytest.raises(ReadError, match=r"iscell\.npy has shape"):
        read_results(tmp_path)
    (tmp_path / "plane0" / "iscell.npy").unlink()
    with pytest.raises(ReadError, match=r"outside the image of shape \(3, 30\)"):
        read_results(tmp_path, image_shape=(3, 30))


@pytest.mark.parametrize("name", ["F.npy", "stat.npy", "iscell.npy", "db.npy"])
def test_truncated_anywhere_it_is_a_read_error(tmp_path, name):
    shutil.copytree(DATA, tmp_path / "suite2p")
    path = tmp_path / "suite2p" / "plane0" / name
    content = path.read_bytes()
    for share in np.random.default_rng(3).random(10):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ReadError):
            read_results(tmp_path)


def test_a_damaged_roi_is_named(tmp_path):
    make_plane(tmp_path / "plane0")
    path = tmp_path / "plane0" / "stat.npy"
    for change in ({"ypix": np.arange(3)}, {"xpix": "text"}, {"lam": None}):
        stat = np.load(path, allow_pickle=True)
        good = dict(stat[2])
        stat[2].update(change)
        np.save(path, stat, allow_pickle=True)
        with pytest.raises(ReadError, match="ROI 2 of"):
            read_results(tmp_path)
        stat[2] = good
        np.save(path, stat, allow_pickle=True)


def test_what_is_no_output_of_suite2p(tmp_path):
    with pytest.raises(ReadError, match="is no output of Suite2p"):
        read_results(tmp_path)
