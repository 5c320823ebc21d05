"""Components: what is checked, selected, saved and read back."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from napari_mesmerize.data.components import Background, Components, new_roi_ids
from napari_mesmerize.errors import ParameterError, ReadError, WriteError

SHAPE = (6, 7)


def make(n_rois=3, n_frames=5, shape=SHAPE, *, seed=0, **keywords):
    rng = np.random.default_rng(seed)
    n_pixels = int(np.prod(shape))
    footprints = sparse.random_array((n_pixels, n_rois), density=0.3, rng=rng)
    arguments = {
        "traces": {
            "raw": rng.normal(size=(n_rois, n_frames)),
            "spikes": rng.random((n_rois, n_frames)),
        },
        "scores": pd.DataFrame(
            {
                "snr": rng.random(n_rois),
                "r/s value.": rng.normal(size=n_rois),
                "size": np.arange(n_rois),
                "good": np.arange(n_rois) % 2 == 0,
                "rejected_because": ["snr below 3"] * n_rois,
            }
        ),
        "accepted": np.arange(n_rois) % 2 == 0,
        "background": Background(
            rng.random((n_pixels, 2)), rng.random((2, n_frames)), rng.random(n_pixels)
        ),
        "frame_rate": 12.5,
        "history": [{"operation": "extract", "params": {"k": 3}}],
    }
    return Components.build(footprints, shape, **(arguments | keywords))


def assert_equal(a, b):
    for part in ("data", "indices", "indptr"):
        left, right = getattr(a.footprints, part), getattr(b.footprints, part)
        np.testing.assert_array_equal(left, right)
    assert a.footprints.shape == b.footprints.shape
    assert a.image_shape == b.image_shape
    assert list(a.traces) == list(b.traces)
    for kind, traces in a.traces.items():
        assert b.traces[kind].dtype == np.float32
        np.testing.assert_array_equal(b.traces[kind], traces)
    pd.testing.assert_frame_equal(a.scores, b.scores, check_dtype=len(a) > 0)
    np.testing.assert_array_equal(a.accepted, b.accepted)
    assert a.roi_ids == b.roi_ids
    assert a.frame_rate == b.frame_rate
    assert a.history == b.history
    assert (a.background is None) == (b.background is None)
    if a.background is not None:
        for name in ("spatial", "temporal", "static"):
            left, right = getattr(a.background, name), getattr(b.background, name)
            assert left.dtype == right.dtype == np.float32
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("n_rois", [0, 1, 4])
@pytest.mark.parametrize("shape", [SHAPE, (3, 4, 5)])
def test_save_and_load_give_back_everything(tmp_path, n_rois, shape):
    components = make(n_rois, shape=shape)
    components.save(tmp_path / "c.zarr")
    assert_equal(components, Components.load(tmp_path / "c.zarr"))
    assert [p.name for p in tmp_path.iterdir()] == ["c.zarr"]


def test_save_and_load_give_back_the_bare_minimum(tmp_path):
    bare = Components.build(np.eye(42)[:, :2], SHAPE, {})
    bare.save(tmp_path / "c.zarr")
    read = Components.load(tmp_path / "c.zarr")
    assert_equal(bare, read)
    assert read.background is None
    assert read.n_frames == 0
    assert read.accepted.all()


def test_scores_that_are_missing_stay_missing(tmp_path):
    scores = pd.DataFrame(
        {
            "snr": [1.0, np.nan, np.inf],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "why": ["low", None, ""],
            "kind": pd.Categorical(["a", "b", "a"]),
        }
    )
    make(scores=scores).save(tmp_path / "c.zarr")
    read = Components.load(tmp_path / "c.zarr").scores
    np.testing.assert_array_equal(read["snr"], [1, np.nan, np.inf])
    np.testing.assert_array_equal(read["n"], [1, np.nan, 3])
    assert list(read["why"]) == ["low", "", ""]
    assert list(read["kind"]) == ["a", "b", "a"]


def test_large_arrays_are_stored_in_several_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_mesmerize.data.components_zarr._CHUNK_BYTES", 64)
    components = make(4, 40)
    components.save(tmp_path / "c.zarr")
    assert zarr.open_group(tmp_path / "c.zarr")["traces/raw"].nchunks > 1
    assert_equal(components, Components.load(tmp_path / "c.zarr"))


def test_build_fills_in_ids_and_acceptance_and_sorts_pixels():
    coordinates = ([5, 2, 2], [0, 0, 0])
    matrix = sparse.csc_array(([1.0, 0.25, 0.25], coordinates), shape=(42, 1))
    unsorted = sparse.csc_array(
        (np.float32([1, 0.5, 0.25]), [5, 2, 2], [0, 3]), shape=(42, 1)
    )
    components = Components.build(unsorted, SHAPE, {"raw": np.zeros((1, 4))})
    assert len(components) == 1
    assert components.n_frames == 4
    assert components.accepted.tolist() == [True]
    assert len(components.roi_ids[0]) == 36
    assert components.footprints.indices.tolist() == [2, 5]
    np.testing.assert_allclose(components.footprint_image(0)[0, [2, 5]], [0.75, 1])
    assert unsorted.indices.tolist() == [5, 2, 2], "the input must stay as it is"
    assert components.footprint_image(0).shape == SHAPE
    assert matrix.nnz == 2


def test_rows_of_scores_follow_the_ids():
    ids = new_roi_ids(3)
    scores = pd.DataFrame({"a": [0, 1, 2]}, index=pd.Index(ids, name="roi_id"))
    components = make(scores=scores.iloc[::-1], roi_ids=ids)
    assert components.scores["a"].tolist() == [0, 1, 2]
    assert components.scores.index.tolist() == list(ids)
    with pytest.raises(ParameterError, match="other ids"):
        make(scores=scores, roi_ids=new_roi_ids(3))


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"shape": (5, 5, 5, 5)}, "height, width"),
        ({"accepted": [True]}, "accepted has 1 rows"),
        ({"roi_ids": ["a"]}, "roi_ids has 1 rows"),
        ({"roi_ids": ["a", "a", "b"]}, "1 repeat"),
        ({"scores": pd.DataFrame({"x": [1]})}, "scores has 1 rows"),
        ({"traces": {"raw": np.zeros((2, 5))}}, r"\(3, n_frames\)"),
        ({"traces": {"raw": np.zeros(3)}}, "Traces must"),
        (
            {"traces": {"raw": np.zeros((3, 5)), "dff": np.zeros((3, 4))}},
            "Traces must",
        ),
        ({"frame_rate": 0.0}, "above 0"),
        (
            {"background": Background(np.zeros(42), np.zeros((1, 5)), np.zeros(42))},
            "spatial",
        ),
        (
            {
                "background": Background(
                    np.zeros((42, 1)), np.zeros((1, 4)), np.zeros(42)
                )
            },
            "temporal",
        ),
    ],
)
def test_build_says_what_does_not_fit(keywords, text):
    with pytest.raises(ParameterError, match=text):
        make(**keywords)


def test_build_compares_footprints_with_the_image_shape():
    with pytest.raises(ParameterError, match=r"40 pixels.*has 42.*C"):
        Components.build(np.zeros((40, 2)), SHAPE, {})


@given(st.lists(st.integers(0, 4), max_size=8, unique=True))
def test_select_keeps_all_parts_in_step(positions):
    components = make(5)
    some = components.select(positions)
    assert len(some) == len(positions)
    for i, position in enumerate(positions):
        np.testing.assert_array_equal(
            some.footprint_image(i), components.footprint_image(position)
        )
        np.testing.assert_array_equal(
            some.traces["raw"][i], components.traces["raw"][position]
        )
        assert some.roi_ids[i] == components.roi_ids[position] == some.scores.index[i]
        assert some.accepted[i] == components.accepted[position]


def test_select_by_mask():
    components = make(5)
    assert components.select(components.accepted).accepted.all()
    assert len(components.select(np.zeros(5, bool))) == 0
    with pytest.raises(ParameterError, match="there are 5 components"):
        components.select([True, False])
    with pytest.raises(ParameterError, match="0 to 4"):
        components.select([7])


def test_save_does_not_overwrite_unless_told(tmp_path):
    path = tmp_path / "c.zarr"
    old, new = make(2), make(3, seed=1)
    old.save(path)
    with pytest.raises(WriteError, match="overwrite=True"):
        new.save(path)
    assert_equal(old, Components.load(path))
    new.save(path, overwrite=True)
    assert_equal(new, Components.load(path))
    assert [p.name for p in tmp_path.iterdir()] == ["c.zarr"]


def test_save_needs_a_folder(tmp_path):
    with pytest.raises(WriteError, match="does not exist"):
        make().save(tmp_path / "nowhere" / "c.zarr")
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="does not exist"):
        make().save(tmp_path / "file" / "c.zarr")
    make().save(tmp_path / "file", overwrite=True)
    assert len(Components.load(tmp_path / "file")) == 3


def test_load_names_what_is_wrong(tmp_path):
    with pytest.raises(ReadError, match="no folder"):
        Components.load(tmp_path / "nothing.zarr")
    (tmp_path / "text.zarr").write_text("hello")
    with pytest.raises(ReadError, match="no folder"):
        Components.load(tmp_path / "text.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ReadError, match=r"Components\.save"):
        Components.load(tmp_path / "empty.zarr")
    zarr.create_group(tmp_path / "other.zarr", attributes={"format": "something"})
    with pytest.raises(ReadError, match="'something'"):
        Components.load(tmp_path / "other.zarr")


def test_load_refuses_a_newer_format(tmp_path):
    path = tmp_path / "c.zarr"
    make().save(path)
    zarr.open_group(path).attrs["format_version"] = 99
    with pytest.raises(ReadError, match=r"version 99.*newer.*Upgrade"):
        Components.load(path)


@pytest.mark.parametrize(
    "part", ["footprints", "traces", "traces/raw", "accepted", "scores", "scores/snr"]
)
def test_load_of_a_damaged_folder_is_a_readable_error(tmp_path, part):
    path = tmp_path / "c.zarr"
    make().save(path)
    shutil.rmtree(path / part)
    with pytest.raises(ReadError, match="can not be read as components"):
        Components.load(path)


def test_load_of_damaged_files_is_a_readable_error(tmp_path):
    path = tmp_path / "c.zarr"
    make().save(path)
    chunk = next(p for p in (path / "traces/raw/c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(ReadError, match="can not be read as components"):
        Components.load(path)
    attributes = json.loads((path / "zarr.json").read_text())
    attributes["attributes"]["format_version"] = None
    (path / "zarr.json").write_text(json.dumps(attributes))
    with pytest.raises(ReadError, match="can not be read as components"):
        Components.load(path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(ReadError, match="can not be read as components"):
        Components.load(path)
