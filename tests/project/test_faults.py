"""Full disks, read-only folders, damaged and newer files: clear words, nothing half."""

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import disk_steps
import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project import create_project, open_project


def hidden_files(project):
    return [p.name for p in project.path.rglob(".*") if p.name != ".guard"]


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
def test_a_disk_that_fills_up_leaves_the_old_sample(
    after, project, sample, make_parts, version_of
):
    with (
        disk_steps.failing(project.path, after, errno.ENOSPC),
        pytest.raises(ProjectError, match=r"disk is full.*Free space.*unchanged"),
    ):
        project.add_sample("m1", "t1", **make_parts(1), overwrite=True)
    assert hidden_files(project) == []
    assert version_of(open_project(project.path).sample("m1-_-t1")) == 0
    project.add_sample("m1", "t1", **make_parts(2), overwrite=True)
    assert version_of(project.sample("m1-_-t1")) == 2


@pytest.mark.slow
def test_when_all_fails_from_some_step_on_the_words_are_true(
    project, sample, make_parts, version_of
):
    with disk_steps.watching(project.path) as steps:
        project.add_sample("m1", "t1", **make_parts(1), overwrite=True)
    steps = [step for step in steps if step not in disk_steps.REMOVALS]
    early, late = range(60, len(steps) - 25, 15), range(len(steps) - 25, len(steps))
    for after in [*early, *late]:
        old = version_of(project.sample("m1-_-t1"))
        with disk_steps.failing(project.path, after, errno.ENOSPC):
            failed = try_to_add(project, make_parts(old + 1))
        found = version_of(open_project(project.path).sample("m1-_-t1"))
        assert found == (old if failed else old + 1)
        assert hidden_files(project) == []
    assert not failed


def try_to_add(project, parts):
    """Return whether it failed, as it should on a full disk."""
    try:
        project.add_sample("m1", "t1", **parts, overwrite=True)
    except ProjectError as error:
        return "disk is full" in str(error)
    return False


CHANGES = {
    "update_rois": lambda project, rois: project.update_rois("m1-_-t1", rois),
    "update_sample": lambda project, _: project.update_sample("m1-_-t1", comments="x"),
    "add_roi_tag": lambda project, _: project.add_roi_tag("lost"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_full_disk_leaves_the_old_table_and_configuration(
    change, project, sample, version_of
):
    before = project.config
    for after in range(6):
        with (
            disk_steps.failing(project.path, after, errno.ENOSPC),
            pytest.raises(ProjectError, match="disk is full"),
        ):
            CHANGES[change](project, sample.rois.iloc[:1])
        assert hidden_files(project) == []
    reopened = open_project(project.path)
    assert reopened.config == before
    assert version_of(reopened.sample("m1-_-t1")) == 0


def test_a_copy_that_can_not_fit_is_refused_before_writing(
    project, make_parts, monkeypatch
):
    usage = shutil.disk_usage(project.path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ProjectError, match=r"GB free.*copy_recording=False"):
        project.add_sample("m1", "t1", **make_parts(0))
    assert project.samples == []


def test_a_real_full_file_system(tmp_path, make_parts, version_of):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("may not mount a small file system")
    try:
        project = create_project(
            disk / "p",
            roi_tags=["region"],
            stimulus_types=["odour"],
            custom_columns={"age_days": int},
        )
        project.add_sample("m1", "t1", **make_parts(0))
        error, version = None, 0
        while error is None:
            version += 1
            try:
                project.add_sample("m1", "t1", **make_parts(version), overwrite=True)
            except ProjectError as full:
                error = str(full)
        assert "disk is full" in error
        assert version_of(project.sample("m1-_-t1")) == version - 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_size_limit_of_the_system(project, sample, make_parts, version_of):
    noise = np.random.default_rng(0).integers(0, 2**16, (8, 200, 200), dtype=np.uint16)
    parts = {"recording": as_recording(noise)}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(ProjectError, match="disk is full or a quota is reached"):
            project.add_sample("m1", "t2", **parts, copy_recording=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert project.samples == ["m1-_-t1"]
    assert hidden_files(project) == []


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_read_only_project_can_be_read_and_says_so(
    code, project, sample, make_parts, version_of
):
    (project.path / "samples" / ".m1-_-t1.0123abcd.tmp").mkdir()
    with disk_steps.failing(project.path, 0, code):
        opened = open_project(project.path)
        assert version_of(opened.sample("m1-_-t1")) == 0
        assert len(opened.table()) == 3
        for change in (
            lambda: opened.add_sample("m1", "t2", **make_parts(1)),
            lambda: opened.update_rois("m1-_-t1", sample.rois),
            lambda: opened.replace_components(
                "m1-_-t1", sample.components, sample.rois
            ),
            lambda: opened.add_roi_tag("layer"),
            lambda: opened.remove_sample("m1-_-t1"),
            lambda: opened.journal.record("m1-_-t1", "region", {"roi-0-0": "x"}),
        ):
            with pytest.raises(ProjectError, match=r"read-only for you .* on a copy"):
                change()
        with pytest.raises(ProjectError, match="read-only for you"):
            create_project(project.path / "exports" / "inner")
    assert version_of(open_project(project.path).sample("m1-_-t1")) == 0


def test_a_project_of_a_newer_version_is_refused(project):
    path = project.path / "mesmerize.json"
    content = json.loads(path.read_text()) | {"format_version": 99}
    path.write_text(json.dumps(content))
    with pytest.raises(
        ProjectError, match=r"format version 99, written by a newer .*-U"
    ):
        open_project(project.path)


def test_a_sample_of_a_newer_version_is_refused(project, sample):
    path = sample.path / "sample.json"
    content = json.loads(path.read_text()) | {"format_version": 2}
    path.write_text(json.dumps(content))
    with pytest.raises(ProjectError, match=r"up to 1\. Upgrade: pip install -U"):
        _ = sample.comments


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "emptied": lambda path: path.write_bytes(b""),
    "overwritten": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
}


def read_part(sample, name):
    part = getattr(sample, name)
    return part().to_numpy() if callable(part) else part


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("sample.json", "comments"),
        ("rois.parquet", "rois"),
        ("rois.parquet", "history"),
        ("epochs.parquet", "epochs"),
        ("components.zarr/zarr.json", "components"),
        ("components.zarr/traces/raw/c/0/0", "components"),
        ("projections.zarr/zarr.json", "projections"),
        ("projections.zarr/mean/c/0/0", "projections"),
        ("recording.zarr/zarr.json", "open_recording"),
        ("recording.zarr/frames/zarr.json", "open_recording"),
    ],
)
def test_a_damaged_file_is_named_with_its_backup(
    file, read, damage, project, sample, make_parts
):
    project.add_sample("m1", "t1", **make_parts(1), overwrite=True)
    sample = project.sample("m1-_-t1")
    DAMAGES[damage](sample.path / file)
    with pytest.raises(ProjectError) as caught:
        read_part(sample, read)
    text = str(caught.value)
    assert file.split("/")[0] in text
    assert "backups/" in text
    assert "project.restore" in text
    assert len(sample.verify()) >= 1
    project.restore(project.backups("m1-_-t1")[0])
    assert project.sample("m1-_-t1").verify() == []


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("sample.json", "comments"),
        ("rois.parquet", "rois"),
        ("epochs.parquet", "epochs"),
        ("components.zarr", "components"),
        ("components.zarr/traces/raw/c/0/0", "components"),
        ("projections.zarr/mean/c/0/0", "projections"),
    ],
)
def test_a_missing_file_is_named(file, read, project, make_parts):
    sample = project.add_sample("m1", "t1", **make_parts(1))
    place = sample.path / file
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(ProjectError, match=file.split("/")[0]) as caught:
        getattr(sample, read)
    assert "add the sample again with overwrite=True" in str(caught.value)


def test_one_changed_byte_is_found_by_verify(project, sample):
    part = sample.path / "components.zarr" / "footprints" / "indices" / "zarr.json"
    part.write_bytes(part.read_bytes().replace(b" ", b"\t", 1))
    (problem,) = sample.verify()
    assert "sha256" in problem


def test_files_of_a_file_manager_do_no_harm(project, sample, version_of):
    (sample.path / "components.zarr" / ".DS_Store").write_bytes(b"x")
    (sample.path / "components.zarr" / "Thumbs.db").write_bytes(b"x")
    (project.path / "samples" / ".DS_Store").write_bytes(b"x")
    (project.path / "samples" / "desktop.ini").write_bytes(b"x")
    assert version_of(open_project(project.path).sample("m1-_-t1")) == 0
    assert project.samples == ["m1-_-t1"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": "other"}', b"\xff"])
def test_a_damaged_configuration_is_named_with_its_backup(content, project):
    project.add_roi_tag("layer")
    path = project.path / "mesmerize.json"
    path.write_bytes(content)
    with pytest.raises(ProjectError, match=r"mesmerize\.json.*backups/.*restore"):
        open_project(project.path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("custom_columns", [{"name": "x", "dtype": "date"}]),
        ("custom_columns", [{"name": "x", "dtype": "int", "default": "y"}]),
        ("roi_tags", "region"),
        ("format_version", "1"),
        ("name", None),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(key, value, project):
    path = project.path / "mesmerize.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ProjectError, match=r"mesmerize\.json"):
        open_project(project.path)


def test_a_project_without_its_samples_folder_is_refused(project):
    (project.path / "samples").rmdir()
    with pytest.raises(ProjectError, match="has no folder 'samples'"):
        open_project(project.path)


def test_a_folder_that_is_no_sample_is_named(project, sample, caplog):
    (project.path / "samples" / "stray").mkdir()
    with pytest.raises(ProjectError, match=r"stray.sample\.json is missing.*skip_dam"):
        project.table()
    assert len(project.table(skip_damaged=True)) == 3
    assert len(project.sample_table(skip_damaged=True)) == 1
    assert "left out" in caplog.text


def test_opening_needs_no_writing_and_no_network(project, sample, tmp_path):
    script = (
        "import sys; from napari_mesmerize.project import open_project; "
        "p = open_project(sys.argv[1]); print(len(p.table()), 'napari' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(project.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["3", "False"]
