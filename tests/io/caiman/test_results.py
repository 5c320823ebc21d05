"""CaImAn's files: Fortran order, absent parts, accepted components."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.results import read_result_images, read_results

DATA = Path(__file__).parents[2] / "data" / "caiman"
N_FRAMES = 12


def write(path, size=(5, 7), n_rois=4, **changes):
    """Write a file as cnm.save does; return the footprints' images and the arrays."""
    dims = size
    random = np.random.default_rng(1)
    images = random.random((n_rois, *dims)) * (random.random((n_rois, *dims)) > 0.6)
    columns = [image.ravel(order="F") for image in images]
    matrix = sparse.csc_matrix(np.stack(columns, axis=1))
    arrays = {
        "C": random.random((n_rois, N_FRAMES)),
        "YrA": random.random((n_rois, N_FRAMES)),
        "S": random.random((n_rois, N_FRAMES)),
        "F_dff": random.random((n_rois, N_FRAMES)),
        "SNR_comp": random.random(n_rois),
        "r_values": random.random(n_rois),
        "cnn_preds": np.zeros(0),
        "idx_components": np.array([2, 0]),
        "idx_components_bad": np.array([1, 3]),
        "dims": np.array(dims),
        "b": random.random((int(np.prod(dims)), 2)),
        "f": random.random((2, N_FRAMES)),
        "bl": np.array([b"0.5"] * n_rois, "S32"),
        "Cn": random.random(dims),
        "W": None,
        **changes,
    }
    with h5py.File(path, "w") as file:
        group = file.create_group("estimates")
        for name, values in arrays.items():
            group[name] = "NoneType" if values is None else values
        for name in ("data", "indices", "indptr"):
            group[f"A/{name}"] = getattr(matrix, name)
        group["A/shape"] = np.array(matrix.shape)
        file["params/data/fr"] = 12.5
        file["dims"] = np.array(size)
    return images, arrays


@pytest.mark.parametrize("dims", [(5, 7), (5, 7, 3)])
def test_every_pixel_is_where_caiman_has_it(tmp_path, dims):
    images, arrays = write(tmp_path / "a.hdf5", dims)
    found = read_results(tmp_path / "a.hdf5")
    shape = dims if len(dims) == 2 else (3, 5, 7)
    assert found.image_shape == shape
    for i, image in enumerate(images):
        expected = image if image.ndim == 2 else image.transpose(2, 0, 1)
        np.testing.assert_allclose(found.footprint_image(i), expected, rtol=1e-6)
    mode = arrays["b"][:, 1].reshape(dims, order="F")
    mode = mode if mode.ndim == 2 else mode.transpose(2, 0, 1)
    np.testing.assert_allclose(
        found.background.spatial[:, 1].reshape(shape), mode, rtol=1e-6
    )
    np.testing.assert_allclose(found.background.temporal, arrays["f"], rtol=1e-6)
    shown = read_result_images(tmp_path / "a.hdf5")["correlation"]
    assert shown.shape == shape


def test_traces_and_scores_are_those_of_their_component(tmp_path):
    _, arrays = write(tmp_path / "a.hdf5")
    found = read_results(tmp_path / "a.hdf5")
    assert list(found.accepted) == [True, False, True, False]
    assert found.frame_rate == 12.5
    for part, rows in ((found, [0, 1, 2, 3]), (found.select(found.accepted), [0, 2])):
        for kind, name in {"denoised": "C", "spikes": "S", "dff": "F_dff"}.items():
            np.testing.assert_allclose(part.traces[kind], arrays[name][rows], rtol=1e-6)
        raw = arrays["C"] + arrays["YrA"]
        np.testing.assert_allclose(part.traces["raw"], raw[rows], rtol=1e-6)
        np.testing.assert_array_equal(part.scores["snr"], arrays["SNR_comp"][rows])
        np.testing.assert_array_equal(part.scores["component"], rows)
    only = read_results(tmp_path / "a.hdf5", only_accepted=True)
    np.testing.assert_allclose(only.traces["dff"], arrays["F_dff"][[0, 2]], rtol=1e-6)
    assert (found.scores["baseline"] == 0.5).all()
    assert "cnn" not in found.scores


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"idx_components": None, "idx_components_bad": None}, [1, 1, 1, 1]),
        ({"idx_components": np.zeros(0), "idx_components_bad": np.arange(4)}, [0] * 4),
        ({"idx_components": np.array([0, 9])}, [1, 0, 1, 0]),
        ({"idx_components": np.array([0])}, [1, 1, 1, 1]),
        ({"accepted_list": np.array([3])}, [0, 0, 0, 1]),
    ],
    ids=["not evaluated", "all bad", "out of range", "of another state", "by hand"],
)
def test_accepted_components_in_each_state_of_the_file(tmp_path, changes, accepted):
    write(tmp_path / "a.hdf5", **changes)
    found = read_results(tmp_path / "a.hdf5").accepted
    np.testing.assert_array_equal(found, np.array(accepted, bool))


def test_parts_may_be_absent(tmp_path):
    absent = dict.fromkeys(["YrA", "S", "F_dff", "SNR_comp", "b", "f", "dims", "Cn"])
    write(tmp_path / "a.hdf5", **absent)
    found = read_results(tmp_path / "a.hdf5")
    assert list(found.traces) == ["denoised"]
    assert found.background is None
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        del file["dims"]
    with pytest.raises(ReadError, match="give it: image_shape"):
        read_results(tmp_path / "a.hdf5")
    assert read_results(tmp_path / "a.hdf5", image_shape=(5, 7)).image_shape == (5, 7)


@pytest.mark.parametrize(("name", "n", "good"), [("cnmf", 86, 47), ("cnmfe", 45, 19)])
def test_real_output(name, n, good):
    path = DATA / f"{name}.hdf5"
    found = read_results(path)
    assert len(found) == n
    assert int(found.accepted.sum()) == good
    with h5py.File(path) as file:
        group = file["estimates/A"]
        parts = [group[key][()] for key in ("data", "indices", "indptr")]
        matrix = sparse.csc_matrix(tuple(parts), shape=tuple(group["shape"][()]))
        for i in (0, 5, n - 1):
            image = matrix[:, [i]].toarray().reshape((128, 128), order="F")
            np.testing.assert_allclose(found.footprint_image(i), image, rtol=1e-6)
        np.testing.assert_allclose(
            found.traces["spikes"], file["estimates/S"], rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"S": np.zeros((3, N_FRAMES))}, r"estimates/S has shape \(3, 12\)"),
        ({"C": None}, "has no traces estimates/C"),
        ({"dims": np.array([5, 8])}, r"35 pixels, but images of shape \(5, 8\)"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_named(tmp_path, changes, words):
    write(tmp_path / "a.hdf5", **changes)
    with pytest.raises(ReadError, match=words):
        read_results(tmp_path / "a.hdf5")


@pytest.mark.parametrize("part", ["indices", "indptr", "shape"])
def test_a_damaged_matrix_is_named(tmp_path, part):
    write(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        file[f"estimates/A/{part}"][0] = 10**9
    with pytest.raises(ReadError, match=r"a\.hdf5"):
        read_results(tmp_path / "a.hdf5")


def test_truncated_anywhere_it_is_a_read_error_or_whole(tmp_path):
    content = (DATA / "cnmf.hdf5").read_bytes()
    path = tmp_path / "a.hdf5"
    for share in np.random.default_rng(3).random(10):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ReadError):
            read_results(path)


def test_what_is_no_result_of_caiman(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(ReadError, match="no group 'estimates'"):
        read_results(tmp_path / "a.hdf5")
    (tmp_path / "b.hdf5").write_text("text")
    with pytest.raises(ReadError, match=r"b\.hdf5 can not be read"):
        read_results(tmp_path / "b.hdf5")


@pytest.mark.parametrize("name", ["C", "A/data", "SNR_comp"])
def test_claims_of_a_billion_numbers_take_no_memory(tmp_path, name):
    write(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        del file[f"estimates/{name}"]
        shape = (4, 10**9) if name == "C" else (10**9,)
        file.create_dataset(f"estimates/{name}", shape, "f4", chunks=True)
    with pytest.raises(ReadError, match=r"a\.hdf5 is damaged: .* claims"):
        read_results(tmp_path / "a.hdf5")
