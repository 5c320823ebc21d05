import json
import struct

import numpy as np
import pytest

from napari_mesmerize.io import ReadWarning, list_recordings, read_recording

PERIOD_S = 0.03


def settings_text(n_channels=2, n_planes=3, flyback=0, fast=True, **changes):
    stored = n_planes + flyback
    facts = {
        "SI.VERSION_MAJOR": 2021,
        "SI.hChannels.channelSave": "[1;2]" if n_channels == 2 else 1,
        "SI.hChannels.channelName": "{'green' 'red'}",
        "SI.hRoiManager.scanFrameRate": 1 / PERIOD_S,
        "SI.hRoiManager.scanVolumeRate": 1 / PERIOD_S / stored,
        "SI.hFastZ.enable": str(fast and n_planes > 1).lower(),
        "SI.hFastZ.numFramesPerVolume": n_planes,
        "SI.hFastZ.numFramesPerVolumeWithFlyback": stored,
        "SI.hFastZ.discardFlybackFrames": str(flyback == 0).lower(),
        "SI.hStackManager.enable": str(n_planes > 1).lower(),
        "SI.hStackManager.numSlices": n_planes,
        "SI.hStackManager.framesPerSlice": 1,
        "SI.hStackManager.stackZStepSize": -15,
        "SI.hScan2D.logAverageFactor": 1,
        "SI.objectiveResolution": 15,
    } | changes
    return "\n".join(f"{name} = {value}" for name, value in facts.items())


def write(path, pages, text, n_channels, *, stamps=True):
    """Write a BigTIFF as ScanImage does: its header block, a strip a page."""
    field = {"sizeXY": [18, 12], "pixelResolutionXY": [14, 10]}
    regions = {"RoiGroups": {"imagingRoiGroup": {"rois": {"scanfields": field}}}}
    si, roi = text.encode() + b"\0", json.dumps(regions).encode() + b"\0"
    content = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
    content += struct.pack("<IIII", 117637889, 4, len(si), len(roi))
    si_at = len(content)
    content += si + roi
    previous = 8
    for i, page in enumerate(pages):
        frame = i // n_channels
        note = f"frameNumbers = {frame + 1}\n"
        if stamps:
            note += f"frameTimestamps_sec = {frame * PERIOD_S:.9f}\n"
        note += "epoch = [2023 11 14 22 15 23.456]\n"
        note_at = len(content)
        content += note.encode() + b"\0"
        data_at = len(content)
        content += page.astype("<i2").tobytes()
        at = len(content)
        height, width = page.shape
        tags = [
            (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1),
            (262, 3, 1, 1), (270, 2, len(note) + 1, note_at), (273, 16, 1, data_at),
            (277, 3, 1, 1), (278, 4, 1, height), (279, 16, 1, page.size * 2),
            (305, 2, len(si), si_at), (315, 2, len(roi), si_at + len(si)),
            (339, 3, 1, 2),
        ]  # fmt: skip
        content += struct.pack("<Q", len(tags))
        content += b"".join(struct.pack("<HHQQ", *tag) for tag in tags)
        content[previous : previous + 8] = struct.pack("<Q", at)
        previous = len(content)
        content += struct.pack("<Q", 0)
    path.write_bytes(content)


@pytest.fixture
def volumes(hyperstack):
    """T, Z, C, Y, X, some values negative."""
    return hyperstack(shape=(5, 3, 2, 10, 14)).astype(np.int16) - 300


def test_volumes_and_channels(tmp_path, volumes):
    path = tmp_path / "a.tif"
    write(path, volumes.reshape(-1, 10, 14), settings_text(), 2)
    assert [info.channel for info in list_recordings(path)] == ["green", "red"]
    for c in range(2):
        recording = read_recording(path, selection=c)
        np.testing.assert_array_equal(recording, volumes[:, :, c])
    attrs = recording.attrs
    assert attrs["frame_rate"] == pytest.approx(1 / PERIOD_S / 3)
    assert attrs["z_step_um"] == 15
    assert attrs["date"] == "2023-11-14T22:15:23.456000"
    assert attrs["origin"] == "ScanImage"
    assert attrs["pixel_size_um"] == pytest.approx((15 * 12 / 10, 15 * 18 / 14))
    np.testing.assert_allclose(recording.time_s, np.arange(5) * 3 * PERIOD_S)


def test_fly_back_frames_are_left_out(tmp_path, volumes):
    path = tmp_path / "a.tif"
    stored = np.concatenate([volumes, volumes[:, :1] * 0], axis=1)
    write(path, stored.reshape(-1, 10, 14), settings_text(flyback=1), 2)
    with pytest.warns(ReadWarning, match="1 fly-back frames"):
        recording = read_recording(path, selection="red")
    np.testing.assert_array_equal(recording, volumes[:, :, 1])
    assert recording.attrs["frame_rate"] == pytest.approx(1 / PERIOD_S / 4)


def test_last_volume_that_is_not_whole(tmp_path, volumes):
    path = tmp_path / "a.tif"
    write(path, volumes.reshape(-1, 10, 14)[:-3], settings_text(), 2)
    with pytest.warns(ReadWarning, match="last 3 pages make no whole volume"):
        recording = read_recording(path, selection="green")
    np.testing.assert_array_equal(recording, volumes[:4, :, 0])
    pages = read_recording(path, axes="TYX")
    np.testing.assert_array_equal(pages, volumes.reshape(-1, 10, 14)[:-3])


@pytest.mark.parametrize("stamps", [True, False])
def test_one_plane_of_many_frames(tmp_path, movie, stamps):
    frames = movie(shape=(120, 10, 14), dtype=np.int16)
    path = tmp_path / "a.tif"
    text = settings_text(n_channels=1, n_planes=1)
    write(path, frames, text, 1, stamps=stamps)
    recording = read_recording(path)
    np.testing.assert_array_equal(recording, frames)
    assert recording.attrs["frame_rate"] == pytest.approx(1 / PERIOD_S)
    assert ("time_s" in recording.coords) == stamps
    if stamps:
        np.testing.assert_allclose(recording.time_s, np.arange(120) * PERIOD_S)
    again = read_recording(path, axes="TZYX", n_planes=4)
    assert again.shape == (30, 4, 10, 14)


def test_slow_stack(tmp_path, movie):
    """All frames of a plane come before those of the next."""
    frames = movie(shape=(12, 10, 14), dtype=np.int16)
    path = tmp_path / "a.tif"
    changes = {"SI.hStackManager.framesPerSlice": 4}
    write(path, frames, settings_text(1, 3, fast=False, **changes), 1)
    recording = read_recording(path)
    np.testing.assert_array_equal(
        recording, frames.reshape(3, 4, 10, 14).swapaxes(0, 1)
    )


def test_a_stack_whose_frames_were_averaged(tmp_path, movie):
    """Of 4 frames a plane, each 2 were averaged into one."""
    frames = movie(shape=(6, 10, 14), dtype=np.int16)
    changes = {
        "SI.hStackManager.framesPerSlice": 4,
        "SI.hScan2D.logAverageFactor": 2,
    }
    write(tmp_path / "a.tif", frames, settings_text(1, 3, fast=False, **changes), 1)
    recording = read_recording(tmp_path / "a.tif")
    np.testing.assert_array_equal(
        recording, frames.reshape(3, 2, 10, 14).swapaxes(0, 1)
    )


def test_fast_volumes_of_versions_that_only_name_the_mode(tmp_path, volumes):
    changes = {
        "SI.hFastZ.enable": "false",
        "SI.hStackManager.stackMode": "'fast'",
        "SI.hStackManager.framesPerSlice": 1,
    }
    write(tmp_path / "a.tif", volumes.reshape(-1, 10, 14), settings_text(**changes), 2)
    recording = read_recording(tmp_path / "a.tif", selection="red")
    np.testing.assert_array_equal(recording, volumes[:, :, 1])
    assert recording.attrs["frame_rate"] == pytest.approx(1 / PERIOD_S / 3)
