"""What is put into a project comes out again, also from a copy elsewhere."""

import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import zarr

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import lazy_recording
from napari_mesmerize.errors import Cancelled, ParameterError, ProjectError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.progress import reporting
from napari_mesmerize.project import create_project, open_project

COMPOSED, DECOMPOSED = "m\u00e4use", "ma\u0308use"


def text_as_objects(table):
    """Return a table whose text has dtype object, as ROI tables have it."""
    text = [name for name in table if pd.api.types.is_string_dtype(table[name].dtype)]
    return table.astype(dict.fromkeys(text, object))


def test_a_new_project_has_the_folders_and_the_configuration(project):
    assert sorted(p.name for p in project.path.iterdir()) == [
        "backups",
        "batch",
        "exports",
        "flowcharts",
        "journal",
        "mesmerize.json",
        "plots",
        "samples",
        "transmissions",
    ]
    reopened = open_project(project.path)
    assert reopened.config == project.config
    assert reopened.roi_tags == ("region",)
    assert reopened.samples == []


def test_create_project_refuses_a_folder_with_something_in_it(project, tmp_path):
    with pytest.raises(ProjectError, match="is a project already; open it"):
        create_project(project.path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(ProjectError, match="not empty; choose"):
        create_project(tmp_path / "full")
    with pytest.raises(ProjectError, match="does not exist; make it first"):
        create_project(tmp_path / "absent" / "project")
    (tmp_path / "empty").mkdir()
    assert create_project(tmp_path / "empty").name == "empty"


def test_open_project_says_what_is_no_project(tmp_path):
    with pytest.raises(ProjectError, match="does not exist; expected a project folder"):
        open_project(tmp_path / "absent")
    with pytest.raises(ProjectError, match=r"holds no mesmerize\.json"):
        open_project(tmp_path)


def test_every_part_of_a_sample_comes_back(project, make_parts):
    parts = make_parts(3)
    first = StepTimer("correct_motion", {"max_shift": 5}, seed=2).extend([])
    parts["recording"].attrs |= {
        "pixel_size_um": (0.5, 0.75),
        "z_step_um": None,
        "date": "2026-05-01T10:00:00+02:00",
        "origin": "a microscope",
        "meta": {"laser": {"power": 3.5}, "names": ["a", "ü"]},
        "history": first,
    }
    components = parts["components"]
    history = StepTimer("extract_components", {"radius": 4}).extend(first)
    parts["components"] = Components.build(
        components.footprints,
        components.image_shape,
        components.traces,
        scores=components.scores,
        roi_ids=components.roi_ids,
        frame_rate=10.0,
        history=history,
    )
    added = project.add_sample("mouse ä", "t 1", **parts)
    sample = open_project(project.path).sample("mouse ä-_-t 1")
    assert (sample.sample_id, sample.animal_id) == (added.sample_id, "mouse ä")
    assert sample.trial_id == "t 1"
    assert sample.comments == "version 3"
    assert sample.custom == {"age_days": 3}
    operations = [step["operation"] for step in sample.history]
    assert operations == ["correct_motion", "extract_components", "add_sample"]
    assert sample.history[:2] == history
    pd.testing.assert_frame_equal(sample.epochs, parts["epochs"])
    pd.testing.assert_frame_equal(sample.rois, text_as_objects(parts["rois"]))
    found = sample.components
    assert (found.footprints != components.footprints).nnz == 0
    assert found.image_shape == (4, 5)
    assert found.frame_rate == 10.0
    for kind, traces in components.traces.items():
        np.testing.assert_array_equal(found.traces[kind], traces)
    pd.testing.assert_frame_equal(found.scores, components.scores)
    image = sample.projections["mean"]
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, parts["projections"]["mean"])
    opened = sample.open_recording()
    np.testing.assert_array_equal(opened, parts["recording"])
    assert opened.dtype == np.uint16
    assert opened.attrs == {**parts["recording"].attrs, "source": {}}


def test_dtypes_of_tags_scores_and_flags_survive(project):
    index = pd.Index(["a", "b", "c"], name="roi_id", dtype=object)
    rois = pd.DataFrame(
        {
            "kind": ["drawn"] * 3,
            "outline": [[[0.0, 0.5], [1.0, 2.0], [3.0, 1.0]], [], []],
            "accepted": [True, False, True],
            "region": ["CA1", "", "ä"],
            "snr": np.array([1.5, np.nan, np.inf]),
            "size": np.array([1, 2, 3], dtype=np.int64),
            "small": np.array([1, 2, 3], dtype=np.float32),
            "flag": [True, False, False],
            "note": ["x", "y", "z"],
            "group": pd.Categorical(["u", "v", "u"]),
        },
        index=index,
    )
    project.add_sample("m1", "t1", rois=rois)
    found = open_project(project.path).sample("m1-_-t1").rois
    pd.testing.assert_frame_equal(found, text_as_objects(rois))


def test_a_volumetric_sample_with_time_stamps_comes_back(project):
    frames = np.arange(5 * 2 * 3 * 4, dtype=np.float32).reshape(5, 2, 3, 4)
    times = np.array([0.0, 0.1, 0.21, 0.3, 0.55])
    recording = lazy_recording(frames, z_step_um=5.0, time_s=times)
    outline = [[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [1.0, 2.0, 2.0]]
    rois = pd.DataFrame({"outline": [outline]}, index=["one"])
    sample = project.add_sample(
        "m1", "t1", recording=recording, rois=rois, copy_recording=True
    )
    opened = sample.open_recording()
    assert opened.dims == ("frame", "z", "y", "x")
    assert opened.attrs["z_step_um"] == 5.0
    assert opened.attrs["frame_rate"] is None
    np.testing.assert_array_equal(opened, frames)
    np.testing.assert_array_equal(opened.coords["time_s"], times)
    np.testing.assert_array_equal(sample.frame_times, times)
    assert sample.rois["outline"].iloc[0] == outline


def test_an_empty_sample_and_one_without_rois_are_samples(project):
    sample = project.add_sample("m1", "t1")
    assert len(sample.rois) == 0
    assert len(sample.epochs) == 0
    assert sample.components is None
    assert sample.projections == {}
    assert sample.frame_times is None
    with pytest.raises(ProjectError, match=r"copy_recording=True"):
        sample.open_recording()
    none = Components.build(np.zeros((20, 0)), (4, 5), {"raw": np.zeros((0, 8))})
    project.add_sample("m1", "t2", components=none)
    assert len(project.sample("m1-_-t2").components) == 0
    assert len(project.table()) == 0
    assert list(project.sample_table()["sample_id"]) == project.samples


def test_an_existing_sample_is_only_overwritten_when_asked(
    project, sample, make_parts, version_of
):
    with pytest.raises(ProjectError, match=r"already has a sample m1-_-t1.*overwrite"):
        project.add_sample("m1", "t1", **make_parts(1))
    assert version_of(project.sample("m1-_-t1")) == 0
    replaced = project.add_sample("m1", "t1", **make_parts(1), overwrite=True)
    assert version_of(replaced) == 1
    (kept,) = project.backups("m1-_-t1")
    assert kept.reason == "overwritten"
    project.restore(kept)
    assert version_of(project.sample("m1-_-t1")) == 0
    assert len(project.backups("m1-_-t1")) == 2


def test_a_missing_sample_is_named_with_the_nearest(project, sample):
    with pytest.raises(ProjectError, match="no sample 'm1-_-t2'; did you mean m1-_-t1"):
        project.sample("m1-_-t2")
    with pytest.raises(ProjectError, match="it has m1-_-t1"):
        project.sample("something else")


def test_ids_that_differ_only_in_case_are_refused(project, sample):
    with pytest.raises(ParameterError, match="only in upper and lower case"):
        project.add_sample("M1", "t1")


def test_decomposed_letters_name_the_same_sample(project):
    project.add_sample(COMPOSED, "t1")
    assert project.sample(f"{DECOMPOSED}-_-t1").animal_id == COMPOSED
    with pytest.raises(ProjectError, match="already has a sample"):
        project.add_sample(DECOMPOSED, "t1")


def test_a_folder_that_came_from_macos_with_decomposed_names_opens(project):
    project.add_sample(COMPOSED, "t1")
    samples = project.path / "samples"
    (samples / f"{COMPOSED}-_-t1").rename(samples / f"{DECOMPOSED}-_-t1")
    sample = open_project(project.path).sample(f"{COMPOSED}-_-t1")
    assert sample.animal_id == COMPOSED
    project.add_sample(COMPOSED, "t1", comments="again", overwrite=True)
    assert project.samples == [f"{COMPOSED}-_-t1"]
    assert project.sample(f"{COMPOSED}-_-t1").comments == "again"


def test_a_renamed_sample_folder_is_found_out(project, sample):
    sample.path.rename(sample.path.with_name("m2-_-t1"))
    with pytest.raises(ProjectError, match="name the folder m1-_-t1 again"):
        _ = project.sample("m2-_-t1").comments


def test_a_moved_or_zipped_project_still_opens(project, sample, tmp_path, version_of):
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", project.path)
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / "elsewhere")
    shutil.rmtree(project.path)
    moved = open_project(tmp_path / "elsewhere")
    assert version_of(moved.sample("m1-_-t1")) == 0
    assert len(moved.table()) == 3


def test_curation_is_saved_noted_and_backed_up(project, sample):
    rois = sample.rois
    rois.loc["roi-0-1", "region"] = "CA3"
    rois["accepted"] = [False, True, True]
    rois = rois.drop(index="roi-0-0")
    saved = project.update_rois("m1-_-t1", rois)
    pd.testing.assert_frame_equal(saved.rois, rois)
    assert list(saved.components.accepted) == [True, True, True]
    step = saved.history[-1]
    assert step["operation"] == "update_rois"
    assert step["params"]["removed"] == 1
    assert step["params"]["changed"] == {"accepted": 1, "region": 1}
    (kept,) = project.backups("m1-_-t1")
    project.restore(kept)
    assert len(project.sample("m1-_-t1").rois) == 3
    assert [s["operation"] for s in project.sample("m1-_-t1").history] == ["add_sample"]


def test_comments_custom_values_and_epochs_can_be_changed(project, sample, make_parts):
    project.add_custom_column("genotype", str, "wt")
    project.update_sample("m1-_-t1", comments="better", custom={"age_days": 9})
    project.update_epochs("m1-_-t1", make_parts(4)["epochs"])
    sample = open_project(project.path).sample("m1-_-t1")
    assert sample.comments == "better"
    assert sample.custom == {"age_days": 9, "genotype": "wt"}
    assert list(sample.epochs["name"]) == ["version 4"]
    assert len(project.backups("m1-_-t1")) == 2


def test_a_removed_sample_lies_in_the_backups(project, sample, version_of):
    place = project.remove_sample("m1-_-t1")
    assert project.samples == []
    assert (place / "sample.json").exists()
    project.restore(place)
    assert version_of(project.sample("m1-_-t1")) == 0
    with pytest.raises(ProjectError, match="is no backup of the project"):
        project.restore("backups/none")


def test_columns_added_later_have_their_defaults(project, sample):
    project.add_roi_tag("cell_type")
    project.add_stimulus_type("running")
    project.add_custom_column("weight_g", float)
    project.set_visible_columns(["sample_id", "weight_g"])
    reopened = open_project(project.path)
    assert reopened.config.visible_columns == ("sample_id", "weight_g")
    assert list(reopened.sample("m1-_-t1").rois["cell_type"]) == [""] * 3
    table = reopened.table()
    assert table["weight_g"].isna().all()
    assert table["weight_g"].dtype == np.float64
    assert (table["cell_type"] == "").all()
    assert len(project.backups()) == 4


def test_epochs_of_an_unknown_type_are_refused(project, make_parts):
    epochs = make_parts(0)["epochs"].assign(stimulus_type="odor")
    with pytest.raises(ParameterError, match=r"no stimulus type 'odor'; it has odour"):
        project.add_sample("m1", "t1", epochs=epochs)


def test_parts_that_do_not_fit_each_other_are_refused(project, make_parts):
    parts = make_parts(0)
    parts["recording"] = parts["recording"][:, :3]
    with pytest.raises(ParameterError, match=r"shape \(4, 5\), the recording's have"):
        project.add_sample("m1", "t1", **parts)
    parts = make_parts(0)
    parts["recording"] = parts["recording"][:5]
    with pytest.raises(ParameterError, match="8 frames, the recording has 5"):
        project.add_sample("m1", "t1", **parts)
    with pytest.raises(ParameterError, match="no recording was given"):
        project.add_sample("m1", "t1", copy_recording=True)
    rois = make_parts(0)["rois"]
    with pytest.raises(ParameterError, match=r"roi_id 'roi-0-0' more than once"):
        project.add_sample("m1", "t1", rois=pd.concat([rois, rois]))
    with pytest.raises(ParameterError, match="roi_id of each ROI as text"):
        project.add_sample("m1", "t1", rois=rois.reset_index(drop=True))
    with pytest.raises(ParameterError, match="true or false for each ROI"):
        project.add_sample("m1", "t1", rois=rois.assign(accepted="yes"))
    with pytest.raises(ParameterError, match="ROI tag 'region' holds text; 3"):
        project.add_sample("m1", "t1", rois=rois.assign(region=3))
    with pytest.raises(ParameterError, match="values of one type"):
        project.add_sample("m1", "t1", rois=rois.assign(odd=["a", 1, 2.0]))
    assert project.samples == []
    assert [p.name for p in (project.path / "samples").iterdir()] == []


def test_a_long_recording_is_copied_in_blocks_with_progress(project, monkeypatch):
    class Counting:
        shape, dtype = (1000, 32, 32), np.dtype(np.uint16)
        largest = 0

        def __getitem__(self, frames):
            n = len(range(*frames.indices(1000)))
            self.largest = max(self.largest, n)
            numbers = np.arange(1000, dtype=np.uint16)[frames]
            return np.broadcast_to(numbers[:, None, None], (n, 32, 32))

    frames, seen = Counting(), []
    monkeypatch.setattr(
        "napari_mesmerize.project.recording_copy._CHUNK_BYTES", 50 * 2048
    )
    sample = project.add_sample(
        "m1",
        "t1",
        recording=lazy_recording(frames),
        copy_recording=True,
        max_memory=400 * 2048,
        progress=reporting(lambda *args: seen.append(args)),
    )
    assert frames.largest == 200
    assert seen[-1] == ("Copying the recording", 5, 5)
    assert (sample.open_recording()[:, 0, 0] == np.arange(1000)).all()
    assert len(list((sample.path / "recording.zarr" / "frames" / "c").iterdir())) == 20


def test_cancelling_a_copy_leaves_nothing(project, make_parts):
    def cancel(*args):
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        project.add_sample("m1", "t1", **make_parts(0), progress=reporting(cancel))
    assert list((project.path / "samples").iterdir()) == []


def test_two_processes_add_different_samples_at_once(project, crash_process):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import crash_process as c; "
        "p = c.open_project(sys.argv[2]); "
        "[p.add_sample(sys.argv[3], str(i), **c.make_parts(i)) for i in range(8)]"
    )
    folder = str(crash_process.__file__).rsplit("/", 1)[0]
    writers = [
        subprocess.Popen([sys.executable, "-c", script, folder, project.path, animal])
        for animal in ("a", "b")
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    expected = sorted(f"{animal}-_-{i}" for animal in "ab" for i in range(8))
    assert project.samples == expected
    assert len(project.table()) == 48


def test_the_files_are_readable_without_this_package(project, sample):
    plain = pd.read_parquet(sample.path / "rois.parquet")
    assert plain.index.name == "roi_id"
    assert list(plain["accepted"]) == [True, False, True]
    group = zarr.open_group(sample.path / "components.zarr", mode="r")
    assert group["traces/raw"].shape == (3, 8)
    assert zarr.open_group(sample.path / "recording.zarr")["frames"].shape == (8, 4, 5)
    for part in sample.path.rglob("*.json"):
        assert part.read_text("utf-8").startswith("{")


def test_project_closes_its_session(project, sample):
    with open_project(project.path) as session:
        session.journal.record("m1-_-t1", "region", {"roi-0-0": "CA1"}, {"roi-0-0": ""})
        rois = session.sample("m1-_-t1").rois
        session.update_rois("m1-_-t1", rois)
    assert list((project.path / "journal").iterdir()) == []
