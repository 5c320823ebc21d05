"""Segmentations in NWB files as Suite2p and CaImAn write them."""

from datetime import UTC, datetime

import numpy as np
import pytest

from napari_mesmerize.io.results import read_results

pynwb = pytest.importorskip("pynwb")
ophys = pytest.importorskip("pynwb.ophys")

JUDGED = [[1, 0.9], [0, 0.1], [1, 0.8], [1, 0.7]]


@pytest.fixture
def nwb():
    """A file with a linked movie of 9 x 7 pixels, and its imaging plane."""
    file = pynwb.NWBFile("a", "b", datetime(2026, 5, 1, tzinfo=UTC))
    plane = file.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=ophys.OpticalChannel(
            name="c", description="green", emission_lambda=510.0
        ),
        description="a plane",
        device=file.create_device("scope"),
        excitation_lambda=920.0,
        indicator="GCaMP",
        location="CA1",
    )
    return file, plane


def new_table(file, plane, description, **options):
    module = file.create_processing_module("ophys", "results")
    segmentation = ophys.ImageSegmentation()
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation",
        description=description,
        imaging_plane=plane,
        **options,
    )
    return module, table


def save(file, path):
    with pynwb.NWBHDF5IO(str(path), "w") as stream:
        stream.write(file)
    return path


def footprints(shape, n_rois=4):
    images = np.zeros((n_rois, *shape), np.float32)
    for i in range(n_rois):
        at = (i // 2,) if len(shape) == 3 else ()
        values = np.random.default_rng(i).random((3, 2)) + 0.1
        images[(i, *at, slice(2 * i, 2 * i + 3), slice(i, i + 2))] = values
    return images


@pytest.mark.parametrize("n_planes", [1, 2])
def test_suite2p_exchanges_x_and_y_and_has_a_series_a_plane(nwb, tmp_path, n_planes):
    file, plane = nwb
    movie = ophys.TwoPhotonSeries(
        name="TwoPhotonSeries",
        dimension=[9, 7],
        external_file=["a.tif"],
        starting_frame=[0],
        format="external",
        imaging_plane=plane,
        timestamps=[0.0],
    )
    file.add_acquisition(movie)
    module, table = new_table(file, plane, "suite2p output", reference_images=movie)
    images = footprints((9, 7) if n_planes == 1 else (2, 9, 7))
    for image in images:
        y, x = np.nonzero(image)[-2:]
        weights = image[image > 0]
        if n_planes == 1:
            table.add_roi(pixel_mask=list(zip(y, x, weights, strict=True)))
        else:
            z = np.nonzero(image)[0]
            table.add_roi(voxel_mask=list(zip(y, x, z, weights, strict=True)))
    table.add_column("iscell", "class", np.array(JUDGED))
    traces = np.random.default_rng(1).random((2, 4, 20)).astype(np.float32)
    parts = np.split(np.arange(4), n_planes)
    for name, values in zip(("Fluorescence", "Deconvolved"), traces, strict=True):
        module.add(ophys.Fluorescence(name=name))
        for p, rows in enumerate(parts):
            module[name].create_roi_response_series(
                name=f"plane{p}",
                data=values[rows].T,
                rois=table.create_roi_table_region(
                    region=rows.tolist(), description="a plane"
                ),
                unit="lumens",
                rate=12.5,
            )
    found = read_results(save(file, tmp_path / "a.nwb"))
    assert found.image_shape == images.shape[1:]
    for i, image in enumerate(images):
        np.testing.assert_array_equal(found.footprint_image(i), image)
    np.testing.assert_array_equal(found.traces["raw"], traces[0])
    np.testing.assert_array_equal(found.traces["spikes"], traces[1])
    assert list(found.accepted) == [True, False, True, True]
    assert found.scores["iscell_prob"].tolist() == [0.9, 0.1, 0.8, 0.7]
    assert found.frame_rate == 12.5


@pytest.mark.parametrize("shape", [(9, 7), (2, 9, 7)])
def test_caiman_unfolds_images_in_another_order_and_appends_the_background(
    nwb, tmp_path, shape
):
    file, plane = nwb
    module, table = new_table(file, plane, "CNMF_ROIs")
    for name in ("snr", "accepted", "rejected", "keep"):
        table.add_column(name, name)
    images = footprints(shape)
    moved = np.moveaxis(images, 1, -1) if len(shape) == 3 else images
    dims = moved.shape[1:]
    for i, image in enumerate([*moved, np.full(dims, 0.5)]):
        mask = image.ravel(order="F").reshape(dims)
        kept = i in (0, 2)
        snr = np.nan if i == 4 else float(i)
        table.add_roi(
            image_mask=mask, snr=snr, accepted=False, rejected=False, keep=kept
        )
    traces = np.random.default_rng(1).random((5, 20)).astype(np.float32)
    module.add(ophys.Fluorescence())
    for name, rows in (("RoiResponseSeries", [0, 1, 2, 3]), ("Background", [4])):
        module["Fluorescence"].create_roi_response_series(
            name=name,
            data=traces[rows].T,
            rois=table.create_roi_table_region(region=rows, description=name),
            unit="lumens",
            timestamps=np.arange(20) / 12.5,
        )
    found = read_results(save(file, tmp_path / "a.nwb"))
    assert found.image_shape == shape
    assert len(found) == 4
    for i, image in enumerate(images):
        np.testing.assert_array_equal(found.footprint_image(i), image)
    np.testing.assert_array_equal(found.traces["denoised"], traces[:4])
    assert list(found.accepted) == [True, False, True, False]
    assert found.scores["snr"].tolist() == [0, 1, 2, 3]
    assert found.frame_rate == pytest.approx(12.5)
