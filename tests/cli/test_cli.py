import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_mesmerize.cli import main, output
from napari_mesmerize.data.components import Components
from napari_mesmerize.io import read_recording
from napari_mesmerize.motion import PiecewiseParams, RigidParams
from napari_mesmerize.project import open_project
from napari_mesmerize.simulation.simulate import simulate


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    """A small recording on disk, with its frame rate beside it."""
    path = tmp_path_factory.mktemp("recordings") / "mouse.tif"
    recording, _ = simulate("2p-small", "rigid", 1, shape=(300, 64, 64), n_cells=15)
    tifffile.imwrite(path, recording.to_numpy(), photometric="minisblack")
    facts = {"origin": "simulation", "fps": 15.0, "date": "20260101_120000"}
    path.with_suffix(".json").write_text(json.dumps(facts))
    return path


@pytest.fixture(scope="module")
def project(movie, tmp_path_factory):
    """A project with one sample, made by ``run``."""
    folder = tmp_path_factory.mktemp("projects") / "study"
    assert main([*_run(movie, folder), "--json"]) == 0
    return folder


def _run(movie, folder, trial="1"):
    names = ["--project", str(folder), "--animal", "m1", "--trial", trial]
    return ["run", str(movie), *names]


MESC = Path(__file__).parents[1] / "data" / "mesc" / "two_sessions.mesc"


def _json(capsys):
    return json.loads(capsys.readouterr().out)


def test_version_and_help_end_well(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip()
    assert main(["--help"]) == 0
    assert "doctor" in capsys.readouterr().out


def test_info_of_what_is_no_recording_says_what_it_is(project, movie, tmp_path, capsys):
    assert main(["info", str(project)]) == 1
    assert "project ls" in capsys.readouterr().err
    assert main(["info", str(movie), "--selection", "nothing"]) == 1
    assert "series-0" in capsys.readouterr().err
    with h5py.File(tmp_path / "results.hdf5", "w") as file:
        for part, values in zip(
            ("data", "indices", "indptr", "shape"),
            ([1.0], [0], [0, 1], [4, 1]),
            strict=True,
        ):
            file[f"estimates/A/{part}"] = np.asarray(values)
        file["dims"] = [2, 2]
    assert main(["info", str(tmp_path / "results.hdf5")]) == 1
    text = capsys.readouterr().err
    assert "CaImAn" in text
    assert "drop" in text


def test_no_remedy_is_cut_off_on_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    output.print_table("title", ("what", "remedy"), [("x", "long" * 40 + "-end")])
    assert "end" in capsys.readouterr().out.replace("\n", "")


def test_info_says_what_a_file_holds(movie, capsys):
    assert main(["info", str(movie), "--json"]) == 0
    (found,) = _json(capsys)["recordings"]
    assert found["shape"] == [300, 64, 64]
    assert found["dims"] == ["frame", "y", "x"]
    assert found["frame_rate"] == 15.0
    assert found["duration_s"] == pytest.approx(20.0)
    assert main(["info", str(movie)]) == 0
    text = capsys.readouterr().out
    assert "15 Hz" in text
    assert "300 frames, 64 x 64 px" in text


def test_info_shows_sessions_units_and_channels_as_a_tree(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")  # lines are not broken
    assert main(["info", str(MESC)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines if "Session_" in line[:20]] == [
        "MSession_0",
        "MSession_1",
    ]
    units = [line.split()[-1] for line in lines if "MUnit_" in line[:20]]
    assert units == ["MUnit_0", "MUnit_1", "MUnit_2", "MUnit_10", "MUnit_0"]
    stack = lines[lines.index(next(line for line in lines if "MUnit_1" in line)) + 1]
    assert "UG  1 frame, 11 planes, 24 x 32 px, float32" in stack
    assert "planes 2 um apart" in stack
    assert lines[-1].endswith("--selection 'MSession_1/MUnit_0/UR'.")


def test_an_error_is_one_paragraph_without_a_traceback(tmp_path, capsys):
    path = tmp_path / "notes.tif"
    path.write_text("these are notes")
    assert main(["info", str(path)]) == 1
    printed = capsys.readouterr()
    assert "notes.tif" in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_debug_shows_the_traceback_and_json_the_error(tmp_path, capsys):
    path = tmp_path / "notes.tif"
    path.write_text("these are notes")
    assert main(["info", "--debug", str(path), "--json"]) == 1
    printed = capsys.readouterr()
    assert "Traceback" in printed.err
    assert "notes.tif" in json.loads(printed.out)["error"]


def test_a_warning_is_a_paragraph_without_a_place_in_the_code(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 9), np.uint16))
    (tmp_path / "a.json").write_text("{oops")
    assert main(["info", str(tmp_path / "a.tif"), "--json"]) == 0
    printed = capsys.readouterr()
    assert "Warning: " in printed.err
    assert "a.json" in printed.err
    assert ".py" not in printed.err
    assert json.loads(printed.out)["recordings"]


def test_a_missing_file_is_named(tmp_path, capsys):
    assert main(["info", str(tmp_path / "absent.tif")]) == 1
    assert "absent.tif" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys):
    assert main(["info", "--fast"]) == 2
    assert "--fast" in capsys.readouterr().err


def test_motion_writes_the_corrected_recording(movie, tmp_path, capsys):
    out = tmp_path / "corrected.zarr"
    words = ["motion", str(movie), str(out), "--max-shift", "9", "--json"]
    assert main(words) == 0
    report = _json(capsys)
    assert report["n_frames"] == 300
    assert max(report["largest_shift_px"]) > 0.5
    assert zarr.open(out, mode="r")
    assert main(words) == 1
    assert "corrected.zarr" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0


def test_what_motion_wrote_is_read_with_its_facts_and_history(movie, tmp_path, capsys):
    out = tmp_path / "corrected.zarr"
    assert main(["motion", str(movie), str(out)]) == 0
    recording = read_recording(out)
    assert recording.attrs["frame_rate"] == 15.0
    operations = [step["operation"] for step in recording.attrs["history"]]
    assert operations == ["read_recording", "correct_motion", "read_recording"]
    capsys.readouterr()
    assert main(["extract", str(out), str(tmp_path / "c.zarr"), "--json"]) == 0
    assert _json(capsys)["n_components"] > 3


def test_motion_aligns_to_an_image_within_a_region(movie, tmp_path, capsys):
    images, out = tmp_path / "images", tmp_path / "corrected.zarr"
    assert main(["images", str(movie), str(images), "--kinds", "mean"]) == 0
    mask = np.zeros(read_recording(movie).shape[1:], np.uint8)
    mask[8:-8, 8:-8] = 1
    tifffile.imwrite(tmp_path / "region.tif", mask)
    capsys.readouterr()
    words = ["motion", str(movie), str(out), "--template", str(images / "mean.tif")]
    words += ["--region", str(tmp_path / "region.tif"), "--workers", "1", "--json"]
    assert main(words) == 0
    assert max(_json(capsys)["largest_shift_px"]) > 0.5
    tifffile.imwrite(tmp_path / "region.tif", mask[1:])
    assert main([*words, "--overwrite"]) == 1
    assert "region" in capsys.readouterr().err
    assert main([*words[:5], "--device", "abacus", "--overwrite"]) == 1
    assert "abacus" in capsys.readouterr().err


@pytest.mark.parametrize("model", [RigidParams, PiecewiseParams])
def test_motion_has_an_option_for_every_parameter(model, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    assert main(["motion", "--help"]) == 0
    text = capsys.readouterr().out
    for name in model.model_fields:
        assert f"--{name.replace('_', '-')}" in text


def test_motion_says_which_parameter_does_not_fit(movie, tmp_path, capsys):
    words = ["motion", str(movie), str(tmp_path / "o.zarr"), "--max-shift", "-3"]
    assert main(words) == 1
    assert "max_shift=-3" in capsys.readouterr().err
    assert main([*words[:3], "--engine", "elastic"]) == 1
    assert "rigid, piecewise" in capsys.readouterr().err


def test_extract_writes_components_and_never_replaces_unasked(movie, tmp_path, capsys):
    out = tmp_path / "components.zarr"
    assert main(["extract", str(movie), str(out), "--json"]) == 0
    report = _json(capsys)
    components = Components.load(out)
    assert len(components) == report["n_components"] > 3
    assert main(["extract", str(movie), str(out)]) == 1
    assert "--overwrite" in capsys.readouterr().err


def test_extract_reads_parameters_from_a_file(movie, tmp_path, capsys):
    params = tmp_path / "params.json"
    params.write_text('{"cell_diametre": 9}')
    words = ["extract", str(movie), str(tmp_path / "o.zarr"), "--params", str(params)]
    assert main(words) == 1
    assert "cell_diameter" in capsys.readouterr().err
    params.write_text("{")
    assert main(words) == 1
    assert "params.json is not JSON" in capsys.readouterr().err
    assert not (tmp_path / "o.zarr").exists()


def test_run_makes_a_project_with_a_sample(project, capsys):
    sample = open_project(project).sample("m1-_-1")
    assert len(sample.rois) > 3
    assert sample.rois["accepted"].any()
    operations = [step["operation"] for step in sample.history]
    assert [o for o in operations if o in ("correct_motion", "extract_components")] == [
        "correct_motion",
        "extract_components",
    ]
    assert main(["project", "ls", str(project), "--json"]) == 0
    (row,) = _json(capsys)["samples"]
    assert row["sample_id"] == "m1-_-1"
    assert row["n_rois"] == len(sample.rois)
    assert main(["project", "show", str(project), "m1-_-1"]) == 0
    text = capsys.readouterr().out
    assert "correct_motion" in text
    assert main(["project", "show", str(project), "m1-_-1", "--json"]) == 0
    assert _json(capsys)["n_rois"] == len(sample.rois)


def test_run_refuses_an_existing_sample_before_the_work(movie, project, capsys):
    assert main(_run(movie, project)) == 1
    assert "m1-_-1" in capsys.readouterr().err


def test_run_without_steps_and_overwrite(movie, project, capsys):
    words = [*_run(movie, project), "--motion", "none", "--extract", "none"]
    assert main([*words, "--overwrite", "--no-keep-recording", "--json"]) == 0
    assert _json(capsys)["n_rois"] == 0
    sample = open_project(project).sample("m1-_-1")
    np.testing.assert_array_equal(
        sample.open_recording()[7].to_numpy(), tifffile.imread(movie, key=7)
    )


def test_run_wants_the_frame_rate_before_the_work(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.zeros((50, 40, 40), np.uint16))
    assert main(_run(tmp_path / "a.npy", tmp_path / "p")) == 1
    assert "--frame-rate" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_run_names_unknown_engines_and_sections(movie, tmp_path, capsys):
    assert main([*_run(movie, tmp_path / "p"), "--motion", "elastic"]) == 1
    assert "rigid, piecewise, none" in capsys.readouterr().err
    params = tmp_path / "params.json"
    params.write_text('{"movement": {}}')
    assert main([*_run(movie, tmp_path / "p"), "--params", str(params)]) == 1
    assert "movement" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_doctor_reports_versions_memory_and_disk(capsys):
    assert main(["doctor", "--no-graphics", "--json"]) == 0
    checks = {check["name"]: check for check in _json(capsys)["checks"]}
    assert checks["numpy"]["found"] == np.__version__
    assert checks["memory"]["found"].endswith("GiB free")
    assert main(["doctor", "--no-graphics"]) == 0
    text = capsys.readouterr().out
    assert "numpy" in text
    assert "[cluster]" in text


def _failing(monkeypatch, error):
    def fail(*_, **__):
        raise type(error)(*error.args)  # a new one, which keeps no file open

    monkeypatch.setattr("napari_mesmerize.io.tiff.recording._groups", fail)


def test_a_fault_of_ours_is_called_one(movie, monkeypatch, capsys):
    _failing(monkeypatch, TypeError("two arguments"))
    assert main(["info", str(movie)]) == 1
    said = capsys.readouterr().err
    assert "TypeError: two arguments. This is a fault of napari-mesmerize" in said
    assert "--debug" in said
    assert "damaged" not in said


def test_a_full_memory_is_called_one(movie, monkeypatch, capsys):
    _failing(monkeypatch, MemoryError("Unable to allocate 9 TiB"))
    assert main(["info", str(movie)]) == 1
    said = capsys.readouterr().err
    assert "Memory ran out while mouse.tif was read (Unable to allocate 9 TiB)" in said
    assert "--max-memory" in said
    assert "damaged" not in said


def test_debug_and_the_log_hold_the_whole_chain(tmp_path, monkeypatch, capsys):
    path, log = tmp_path / "a.h5", tmp_path / "log.txt"
    path.write_bytes(b"no HDF5" * 100)
    monkeypatch.setenv("NAPARI_MESMERIZE_LOG", str(log))
    assert main(["info", str(path), "--debug"]) == 1
    said = capsys.readouterr().err
    for text in (said, log.read_text("utf-8")):
        assert "h5f.pyx" in text
        assert "direct cause of the following exception" in text
        assert "ReadError: a.h5 can not be read as HDF5" in text
    monkeypatch.setenv("NAPARI_MESMERIZE_LOG", str(tmp_path / "nowhere" / "log.txt"))
    assert main(["--version"]) == 1
    assert "NAPARI_MESMERIZE_LOG" in capsys.readouterr().err


def test_signals_of_a_file(capsys):
    path = MESC.parents[1] / "mes" / "two_channels.mes"
    assert main(["signals", str(path)]) == 0
    said = capsys.readouterr().out
    assert "AUXo3" in said
    assert "0, 1.5, 3" in said
    assert main(["signals", str(path), "--json"]) == 0
    found = _json(capsys)["signals"]
    assert [one["name"] for one in found] == ["AUXo3", "AUXi1", "DIs"]
    assert found[0]["levels"] == [0.0, 1.5, 3.0]
    assert found[0]["unit"] == "V"
    assert main(["signals", str(path.with_name("one_channel.mes"))]) == 0
    assert "no signals" in capsys.readouterr().out
    assert main(["signals", str(path.with_name("nothing.mes"))]) == 1
    assert "does not exist" in capsys.readouterr().err
