"""Each writer of files, on a disk that fails or killed on the way: old or new."""

import contextlib
import errno
import os
import signal

import disk_steps
import numpy as np
import pandas as pd
import pytest

from napari_mesmerize import atomic
from napari_mesmerize.atomic import settle
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import MesmerizeError, ProjectError, WriteError
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.csv import write_table_csv, write_traces_csv
from napari_mesmerize.io.results.read import read_results
from napari_mesmerize.io.results.write import write_results
from napari_mesmerize.io.write import write_recording
from napari_mesmerize.io.write_facts import write_facts
from napari_mesmerize.project import parquet
from napari_mesmerize.project.json_files import write_json, writing
from napari_mesmerize.transforms.reductions import map_pixels

SHAPE = (12, 14)
HDF5 = (".hdf5", ".nwb")


def components(version):
    """Return as many ROIs as the version, and three."""
    n_rois = 3 + version
    footprints = np.zeros((*SHAPE, n_rois))
    for i in range(n_rois):
        footprints[2 * i : 2 * i + 3, 4:9, i] = 1
    traces = {"raw": np.full((n_rois, 8), version), "spikes": np.ones((n_rois, 8))}
    return Components.build(
        footprints.reshape(-1, n_rois), SHAPE, traces, frame_rate=10.0
    )


def movie(version):
    frames = np.full((6, *SHAPE), 10 + 20 * version, np.uint16)
    return as_recording(frames, frame_rate=10.0, name="movie")


def movie_writer(**options):
    def write(path, version):
        write_recording(movie(version), path, overwrite=True, **options)

    def read(path):
        return round((float(read_recording(path)[0].mean()) - 10) / 20)

    return write, read


def result_writer(path):
    def write(path, version):
        write_results(components(version), path, overwrite=True)

    def read(path):
        shape = SHAPE if path.suffix == ".zip" else None
        return len(read_results(path, image_shape=shape)) - 3

    return write, read


def save_components(path, version):
    components(version).save(path, overwrite=True)


def write_film(path, version):
    pytest.importorskip("av")
    dark = np.zeros((6, *SHAPE), np.uint16)
    dark[:, 0, 0] = 1  # sets the contrast
    dark[:, :, 1:] = version
    write_recording(dark, path, overwrite=True, time_stamp=False, scale_bar=False)


def write_mapped(path, version):
    mapped = map_pixels(movie(version), lambda traces: traces, path, overwrite=True)
    assert mapped.dtype == np.float32


def write_known_facts(path, version):
    film = path.with_name("movie.npy")
    if not film.exists():
        np.save(film, movie(0))
    recording = read_recording(film, frame_rate=10.0)
    recording.attrs["frame_rate"] = 10.0 + version
    write_facts(recording)


def write_parquet(path, version):
    with writing("The table", path):
        table = roi_table_from_components(components(version))
        parquet.write_table(path, table, parquet.ROIS)


def write_document(path, version):
    with writing("The document", path):
        write_json(path, {"format": "x", "format_version": 1, "version": version})


WRITERS = {
    "a.tif": movie_writer(),
    "a.zarr": movie_writer(),
    "a.isxd": movie_writer(),
    "c.zarr": (save_components, lambda path: len(Components.load(path)) - 3),
    "a.mp4": (write_film, lambda path: int(read_recording(path)[0].mean() > 99)),
    "a.npy": (write_mapped, lambda path: round((np.load(path).mean() - 10) / 20)),
    "movie.json": (
        write_known_facts,
        lambda path: pd.read_json(path, typ="series")["fps"] - 10,
    ),
    "a.csv": (
        lambda path, v: write_traces_csv(components(v), path, overwrite=True),
        lambda path: len(pd.read_csv(path).columns) - 5,
    ),
    "b.csv": (
        lambda path, v: write_table_csv(
            components(v).scores.assign(x=1), path, overwrite=True
        ),
        lambda path: len(pd.read_csv(path)) - 3,
    ),
    "a.zip": result_writer("a.zip"),
    "a.hdf5": result_writer("a.hdf5"),
    "a.nwb": result_writer("a.nwb"),
    "suite2p": result_writer("suite2p"),
    "a.mat": (
        lambda path, v: write_results(components(v), path, overwrite=True),
        lambda path: _n_in_mat(path) - 3,
    ),
    "rois.parquet": (write_parquet, lambda path: len(pd.read_parquet(path)) - 3),
    "a.json": (
        write_document,
        lambda path: pd.read_json(path, typ="series")["version"],
    ),
}


def _n_in_mat(path):
    from scipy.io import loadmat

    return len(np.ravel(loadmat(path)["roi_ids"]))


@pytest.fixture(params=WRITERS)
def writer(request, tmp_path):
    """``(write, read, path)``; version 0 is there."""
    place = tmp_path / "place"
    place.mkdir()
    write, read = WRITERS[request.param]
    path = place / request.param
    write(path, 0)
    assert read(path) == 0
    return write, read, path


def some(steps, most):
    """Return numbers of steps: the last ones, and not all of many early ones."""
    n = len(steps)
    return sorted({*range(0, n, max(1, n // most)), *range(max(0, n - 12), n)})


def check_whole(path, read, before):
    """Return the version; fail if what is there is half written."""
    found = disk_steps.contents(path)
    assert found is not None
    if found == before:
        return 0
    version = read(path)
    assert version == 1
    return version


def test_a_step_that_fails_leaves_the_old_one(writer):
    write, read, path = writer
    before = disk_steps.contents(path)
    beside = sorted(os.listdir(path.parent))
    with disk_steps.watching(path.parent) as steps:
        write(path, 1)
    assert read(path) == 1
    write(path, 0)
    before = disk_steps.contents(path)
    for after in some(steps, 12):
        raised = None
        with disk_steps.failing(path.parent, after, errno.ENOSPC) as failed:
            try:
                write(path, 1)
            except (WriteError, ProjectError) as error:
                raised = error
        version = check_whole(path, read, before)
        assert version == (0 if raised else 1)
        assert sorted(os.listdir(path.parent)) == beside
        if raised:
            assert "disk is full or a quota is reached" in str(raised)
            assert "unchanged" in str(raised)
        if version:
            write(path, 0)
            before = disk_steps.contents(path)
    assert "os.fsync" in steps
    assert failed or not raised


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
def test_a_killed_writer_leaves_the_old_or_the_new_one(writer):
    write, read, path = writer
    if path.suffix == ".mp4":
        pytest.skip("the encoder's threads do not come along into a forked child")
    beside = sorted(os.listdir(path.parent))
    with disk_steps.watching(path.parent) as steps:
        write(path, 1)
    write(path, 0)
    before, seen = disk_steps.contents(path), set()
    for step in [*some(steps, 8), len(steps) + 9]:
        killed = disk_steps.killed_at(step, path.parent, lambda: write(path, 1))
        settle(path)
        version = check_whole(path, read, before)
        seen.add(version)
        assert killed or version == 1
        assert sorted(os.listdir(path.parent)) == beside
        if version:
            write(path, 0)
            before = disk_steps.contents(path)
    assert seen == {0, 1}


@pytest.mark.parametrize("name", ["a.zarr", "c.zarr", "suite2p"])
def test_a_reader_finds_a_folder_on_its_last_step(name, tmp_path):
    write, read = WRITERS[name]
    path = tmp_path / name
    write(path, 1)
    path.rename(atomic._hidden(path, atomic._NEW))  # where there is no exchange
    assert read(path) == 1
    assert os.listdir(tmp_path) == [name]


@contextlib.contextmanager
def largest_file(n_bytes):
    """Let the system refuse files of more bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def answer_of(child):
    """Run a function in a child; return what it said, "" if it crashed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(60)
            os.write(writing, child().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits the files of a child")
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_bytes_that_do_not_fit_leave_the_old_one(writer, share):
    write, _, path = writer
    write(path, 1)
    before = disk_steps.contents(path)
    beside = sorted(os.listdir(path.parent))
    files = [f for f in [path, *path.rglob("*")] if f.is_file()]
    size = max(file.stat().st_size for file in files)

    def child():
        with largest_file(int(share * size)):
            try:
                write(path, 1)
            except MesmerizeError as error:
                return str(error)
            return "written all the same"

    may_crash = path.suffix in HDF5  # the library, in closing the file
    said = answer_of(child) if may_crash else child()
    settle(path)
    if said or not may_crash:
        assert "disk is full or a quota is reached" in said
    assert disk_steps.contents(path) == before
    assert sorted(os.listdir(path.parent)) == beside
