"""NWB files: valid, complete, and each pixel where the format wants it."""

import json

import h5py
import numpy as np
import pytest

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.data.recording import as_recording, frame_times
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import (
    MissingExtraError,
    ParameterError,
    ReadError,
    WriteError,
)
from napari_mesmerize.io import ReadWarning, read_recording
from napari_mesmerize.io.results import NwbSession, read_results, write_nwb

pynwb = pytest.importorskip("pynwb")

SESSION = NwbSession(
    description="A mouse smelled odours",
    subject_id="m1",
    age="P90D",
    sex="F",
    experimenter="Doe, Jane",
    institution="University",
    lab="Lab",
    session_id="t1",
    start_time="2026-05-01T10:00:00+02:00",
    location="VISp",
)


@pytest.fixture
def recording():
    frames = np.random.default_rng(0).integers(0, 4000, (30, 14, 11), dtype=np.uint16)
    return as_recording(
        frames, frame_rate=12.5, pixel_size_um=(1.5, 1.25), origin="a microscope"
    )


@pytest.fixture
def written(components, recording, tmp_path):
    rois = roi_table_from_components(components).assign(region="CA1")
    rois["accepted"] = [True, True, False, False, True]
    return write_nwb(
        components,
        tmp_path / "a.nwb",
        rois=rois,
        recording=recording,
        epochs=make_epochs([("odour", "pear", 1.5, 2.0), ("odour", "apple", 0.5, 1.0)]),
        projections={"mean": recording.mean("frame").to_numpy()},
        session=SESSION,
        movie="copy",
    )


def test_the_file_is_valid_and_holds_everything(written, components, recording):
    assert list(pynwb.validate(path=str(written))) == []
    with pynwb.NWBHDF5IO(str(written), "r") as file:
        nwb = file.read()
        series = nwb.acquisition["TwoPhotonSeries"]
        assert series.data.shape == (30, 11, 14)
        assert series.rate == 12.5
        np.testing.assert_array_equal(
            np.asarray(series.data), recording.to_numpy().transpose(0, 2, 1)
        )
        assert list(series.imaging_plane.grid_spacing) == [1.25, 1.5]
        ophys = nwb.processing["ophys"]
        table = ophys["ImageSegmentation"]["PlaneSegmentation"]
        for i in range(len(components)):
            image = np.zeros((14, 11), np.float32)
            for x, y, weight in table["pixel_mask"][i]:
                image[y, x] = weight
            np.testing.assert_array_equal(image, components.footprint_image(i))
        assert list(table["accepted"][:]) == [True, True, False, False, True]
        assert list(table["region"][:]) == ["CA1"] * 5
        np.testing.assert_array_equal(table["snr"][:], components.scores["snr"])
        assert list(table["roi_id"][:]) == list(components.roi_ids)
        fluorescence = ophys["Fluorescence"]
        for kind, name in (("raw", "RoiResponseSeries"), ("spikes", "Deconvolved")):
            np.testing.assert_array_equal(
                fluorescence[name].data, components.traces[kind].T
            )
        dff = ophys["DfOverF"]["RoiResponseSeries"]
        np.testing.assert_array_equal(dff.data, components.traces["dff"].T)
        trials = nwb.trials.to_dataframe()
        assert list(trials["stimulus_name"]) == ["apple", "pear"]
        assert list(trials["start_time"]) == [0.5, 1.5]
        steps = json.loads(nwb.scratch["history"].data)
        assert steps[-1]["operation"] == "extract_components"
        assert nwb.subject.subject_id == "m1"


def test_the_copied_movie_reads_back(written, recording):
    np.testing.assert_array_equal(read_recording(written), recording)


def test_volumes_have_voxel_masks(volume_components, tmp_path):
    path = write_nwb(volume_components, tmp_path / "a.nwb", session=SESSION)
    assert list(pynwb.validate(path=str(path))) == []
    with pynwb.NWBHDF5IO(str(path), "r") as file:
        table = file.read().processing["ophys"]["ImageSegmentation"][
            "PlaneSegmentation"
        ]
        image = np.zeros((3, 14, 11), np.float32)
        for x, y, z, weight in table["voxel_mask"][1]:
            image[z, y, x] = weight
    np.testing.assert_array_equal(image, volume_components.footprint_image(1))


def test_time_stamps_and_a_linked_movie(recording, tmp_path):
    source = tmp_path / "movie.npy"
    np.save(source, recording.to_numpy())
    times = np.cumsum(np.random.default_rng(0).random(30))
    stamped = as_recording(
        recording.to_numpy(), source={"uri": str(source)}, time_s=times
    )
    path = write_nwb(
        None, tmp_path / "a.nwb", recording=stamped, movie="link", session=SESSION
    )
    assert list(pynwb.validate(path=str(path))) == []
    with pynwb.NWBHDF5IO(str(path), "r") as file:
        series = file.read().acquisition["TwoPhotonSeries"]
        assert series.external_file[0] == "movie.npy"
        np.testing.assert_array_equal(series.timestamps, times)
    with pytest.warns(ReadWarning, match="frame rate varies"):
        back = read_recording(path)
    np.testing.assert_array_equal(back, recording)
    np.testing.assert_array_equal(back["time_s"], times)
    source.unlink()
    with pytest.raises(ReadError, match=r"other files; open movie\.npy"):
        read_recording(path)


def test_regular_time_stamps_become_a_rate(recording, tmp_path):
    times = 3.25 + np.arange(30) / 12.5
    for name, seen in (("a.nwb", times), ("b.nwb", np.delete(times, 7))):
        stamped = as_recording(
            recording.to_numpy()[: len(seen)], frame_rate=12.5, time_s=seen
        )
        path = write_nwb(None, tmp_path / name, recording=stamped, movie="copy")
        back = read_recording(path)
        np.testing.assert_allclose(frame_times(back), seen, atol=1e-6)
        with pynwb.NWBHDF5IO(str(path), "r") as file:
            series = file.read().acquisition["TwoPhotonSeries"]
            regular = name == "a.nwb"
            assert (series.timestamps is None) == regular
            assert series.rate == (pytest.approx(12.5) if regular else None)
            assert series.imaging_plane.imaging_rate == pytest.approx(12.5)
            assert series.imaging_plane.location == "root"


def test_a_linked_movie_with_a_rate_counts_its_frames(recording, tmp_path):
    source = tmp_path / "movies" / "a.npy"
    source.parent.mkdir()
    np.save(source, recording.to_numpy())
    linked = as_recording(recording, source={"uri": str(source)})
    path = write_nwb(None, tmp_path / "a.nwb", recording=linked, movie="link")
    assert list(pynwb.validate(path=str(path))) == []
    with pynwb.NWBHDF5IO(str(path), "r") as file:
        series = file.read().acquisition["TwoPhotonSeries"]
        assert series.external_file[0] == "movies/a.npy"
        assert series.rate == 12.5
    back = read_recording(path)
    np.testing.assert_array_equal(back, recording)
    assert back.attrs["frame_rate"] == 12.5
    assert back.attrs["pixel_size_um"] == (1.5, 1.25)
    several = as_recording(linked, source={"uri": str(source), "files": ["a", "b"]})
    with pytest.raises(ParameterError, match="lies in 2 files"):
        write_nwb(None, tmp_path / "b.nwb", recording=several, movie="link")


def test_an_unknown_animal_is_one_that_archives_take(components, recording, tmp_path):
    write_nwb(components, tmp_path / "a.nwb", recording=recording)
    noted = {"Animal ID": "m7", "Animal Sex": "f", "Animal Species": "rat"}
    known = as_recording(recording, meta={"acquisition_info": noted})
    write_nwb(components, tmp_path / "b.nwb", recording=known)
    said = []
    for name in ("a.nwb", "b.nwb"):
        with pynwb.NWBHDF5IO(str(tmp_path / name), "r") as file:
            animal = file.read().subject
            said.append((animal.subject_id, animal.species, animal.sex, animal.age))
    assert said == [
        ("unknown", "Mus musculus", "U", "P0D/"),
        ("m7", "Rattus norvegicus", "F", "P0D/"),
    ]


def test_the_segmentation_reads_back(written, components):
    found = read_results(written)
    assert found.image_shape == (14, 11)
    assert abs(found.footprints - components.footprints).max() == 0
    assert set(found.traces) == set(components.traces)
    for kind, traces in components.traces.items():
        np.testing.assert_array_equal(found.traces[kind], traces)
    assert list(found.accepted) == [True, True, False, False, True]
    assert list(found.scores["region"]) == ["CA1"] * 5
    np.testing.assert_array_equal(found.scores["snr"], components.scores["snr"])
    assert found.frame_rate == 12.5
    only = read_results(written, only_accepted=True)
    np.testing.assert_array_equal(
        only.traces["raw"], components.traces["raw"][[0, 1, 4]]
    )


def test_volumes_and_exchanged_axes_read_back(volume_components, components, tmp_path):
    path = write_nwb(volume_components, tmp_path / "a.nwb", session=SESSION)
    found = read_results(path)
    assert found.image_shape == (3, 14, 11)
    assert abs(found.footprints - volume_components.footprints).max() == 0
    path = write_nwb(components, tmp_path / "b.nwb", session=SESSION)
    turned = read_results(path, image_shape=(8, 11))  # fits only if x is taken for y
    image = components.footprint_image(3)
    np.testing.assert_array_equal(turned.footprint_image(3), image.T[:8, :11])
    with pytest.raises(ReadError, match="swap_axes=True"):
        read_results(path, image_shape=(8, 11), swap_axes=False)


def test_a_file_that_does_not_say_its_shape_asks_for_it(components, tmp_path):
    path = write_nwb(components, tmp_path / "a.nwb", session=SESSION)
    with h5py.File(path, "r+") as file:
        del file["scratch/image_shape"]
    with pytest.raises(ReadError, match="give it: image_shape"):
        read_results(path)
    assert read_results(path, image_shape=(14, 11)).image_shape == (14, 11)


def test_tags_of_any_name_are_columns(components, tmp_path):
    rois = roi_table_from_components(components)
    names = ("description", "id", "object_id", "Cell type", "1st", "\u00b5m", "a/b")
    names += ("a.b", "parent", "roi_id_index")
    for name in names:
        rois[name] = list("abcde")
    path = write_nwb(components, tmp_path / "a.nwb", rois=rois, session=SESSION)
    assert list(pynwb.validate(path=str(path))) == []
    found = read_results(path).scores
    assert list(found["snr"]) == list(components.scores["snr"])
    expected = ("tag_description", "tag_id", "cell_type", "1st", "\u00b5m", "a_b")
    for name in (*expected, "tag_a_b", "tag_parent", "tag_roi_id_index"):
        assert list(found[name]) == list("abcde"), name


def test_damaged_files_and_files_without_rois(written, recording, tmp_path):
    content = written.read_bytes()
    for share in np.random.default_rng(1).random(6):
        written.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ReadError):
            read_results(written)
    path = write_nwb(None, tmp_path / "b.nwb", recording=recording, session=SESSION)
    with pytest.raises(ReadError, match="holds no PlaneSegmentation"):
        read_results(path)


def test_what_does_not_fit_is_refused(components, recording, tmp_path):
    path = tmp_path / "a.nwb"
    without = as_recording(recording.to_numpy())
    with pytest.raises(ParameterError, match="NWB needs the frame rate"):
        write_nwb(None, path, recording=without)
    with pytest.raises(ParameterError, match="expected 'none', 'copy' or 'link'"):
        write_nwb(None, path, recording=recording, movie="all")
    with pytest.raises(ParameterError, match="is no file that can be linked"):
        write_nwb(None, path, recording=recording, movie="link")
    with pytest.raises(ParameterError, match="lacks 5 of 5 components"):
        write_nwb(components, path, rois=roi_table_from_components(components).iloc[:0])
    with pytest.raises(ParameterError, match="no ISO 8601 date"):
        write_nwb(components, path, session=NwbSession(start_time="yesterday"))
    assert list(tmp_path.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(WriteError, match="exists"):
        write_nwb(components, path)


def test_without_pynwb_the_line_that_installs_it_is_named(
    components, tmp_path, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "pynwb", None)
    with pytest.raises(
        MissingExtraError, match=r"pip install 'napari-mesmerize\[nwb\]'"
    ):
        write_nwb(components, tmp_path / "a.nwb")


def test_nothing_found_is_a_file_too(components, tmp_path):
    none = components.select(np.zeros(5, bool))
    path = write_nwb(none, tmp_path / "a.nwb", session=SESSION)
    assert list(pynwb.validate(path=str(path))) == []
