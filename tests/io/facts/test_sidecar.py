"""Metadata formats: a function per vendor, and one of the user's own."""

import json
from pathlib import Path

import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.facts.sidecar import METADATA_FORMATS, read_facts

DATA = Path(__file__).parents[2] / "data"
JSON_FILES = {
    "json_minimal": {"origin": "a", "fps": 10, "date": "20201123_172345"},
    "AwesomeImager": {
        "framerate": 20.5,
        "date": "20201123",
        "time": "172345",
        "level_min": 0,
        "level_max": 900,
        "version": "1.2",
    },
    "inscopix_export": {"Exposure Time (ms)": 50, "Microscope Type": "NVista3"},
    "miniscope": {"frameRate": "30FPS", "gain": "Low", "led0": 10},
}
FACTS = {
    "json_minimal": (10.0, "2020-11-23T17:23:45", "a"),
    "AwesomeImager": (20.5, "2020-11-23T17:23:45", "AwesomeImager 1.2"),
    "inscopix_export": (20.0, None, "NVista3"),
    "miniscope": (30.0, None, "Miniscope"),
}
RECORDINGS = [
    ("femtonics", "mesc/two_sessions.mesc", 1000 / 32.25, "2023-11-14T22:15:23"),
    ("femtonics", "mes/two_channels.mes", 100 / 3, "2018-05-13T11:22:33"),
    ("inscopix", "isxd/movie_f32.isxd", 20.0, "2023-11-14T22:15:23"),
]


@pytest.mark.parametrize("name", JSON_FILES)
def test_json_files_of_each_program(name, tmp_path):
    path = tmp_path / ("metaData.json" if name == "miniscope" else "a.json")
    path.write_text(json.dumps(JSON_FILES[name]))
    facts, content = read_facts(path, name)
    rate, date, origin = FACTS[name]
    assert (facts["frame_rate"], facts.get("date"), facts["origin"]) == (
        pytest.approx(rate),
        date,
        origin,
    )
    assert content
    path.write_text("[1, 2")
    with pytest.raises(ReadError, match=path.name):
        read_facts(path, name)


@pytest.mark.parametrize(("name", "sample", "rate", "date"), RECORDINGS)
def test_facts_of_another_recording_s_file(name, sample, rate, date):
    facts, content = read_facts(DATA / sample, name)
    assert facts["frame_rate"] == pytest.approx(rate)
    assert facts["date"].startswith(date)
    assert len(content) > 5


def test_every_format_can_be_named():
    known = {"ome", "scanimage", *JSON_FILES, *(name for name, *_ in RECORDINGS)}
    assert known == set(METADATA_FORMATS)
