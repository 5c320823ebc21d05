"""Damaged, renamed and unusual files of several formats: only ReadError comes out."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import list_recordings, read_recording
from napari_mesmerize.io.inscopix.events import read_event_set, read_gpio
from napari_mesmerize.io.inscopix.results import read_cell_set
from napari_mesmerize.io.inscopix.vessels import read_vessel_set

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
DATA = Path(__file__).parents[1] / "data"
FILES = [
    DATA / "mesc" / "two_sessions.mesc",
    DATA / "mesc" / "aod.mesc",
    DATA / "mes" / "two_channels.mes",
    DATA / "mes" / "one_channel.mes",
    DATA / "isxd" / "movie_u16_gaps.isxd",
    DATA / "isxd" / "movie_u16_headers_spec.isxd",
]
SETS = {
    "cellset.isxd": read_cell_set,
    "eventset.isxd": read_event_set,
    "gpio_spec.isxd": read_gpio,
    "vessel_diameter.isxd": read_vessel_set,
    "vessel_rbc.isxd": read_vessel_set,
}
by_file = pytest.mark.parametrize("sample", FILES, ids=lambda path: path.name)
FUZZ = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read_all(path):
    """Open everything in a file and read a bit; return how many recordings opened."""
    opened = 0
    for info in list_recordings(path):
        if not info.problem:
            recording = read_recording(path, selection=info.selection)
            recording[0].to_numpy()
            recording[-1].to_numpy()
            opened += 1
    return opened


def changed(sample, data):
    """Return the bytes of a file, some of them changed; more often in its last part."""
    content = bytearray(sample.read_bytes())
    anywhere = st.integers(0, len(content) - 1)
    footer = st.integers(max(0, len(content) - 1500), len(content) - 1)
    for at in data.draw(st.lists(anywhere | footer, min_size=1, max_size=40)):
        content[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x39]))
    return content


def check_only_read_errors(path, read=read_all):
    """Read; an error names the file and says more than that."""
    said = ""
    try:
        read(path)
    except ReadError as error:
        said = str(error)
    assert not said or (path.name in said and len(said) > len(path.name) + 10)


@by_file
@pytest.mark.parametrize("seed", range(10))
def test_a_truncated_file_is_refused(sample, seed, tmp_path):
    content = sample.read_bytes()
    length = int(np.random.default_rng(seed).integers(1, len(content)))
    path = tmp_path / sample.name
    path.write_bytes(content[:length])
    with pytest.raises(ReadError, match=path.name):
        read_all(path)


@by_file
def test_an_empty_file_is_refused(sample, tmp_path):
    path = tmp_path / sample.name
    path.touch()
    with pytest.raises(ReadError, match=rf"{path.name} is empty"):
        list_recordings(path)


@by_file
@pytest.mark.parametrize("content", [b"text\n" * 100, b"II*\0" * 40, bytes(4096)])
def test_a_file_of_another_kind_is_refused(sample, content, tmp_path):
    path = tmp_path / sample.name
    path.write_bytes(content)
    with pytest.raises(ReadError, match=path.name):
        list_recordings(path)


ODD = [
    None,
    0,
    -1,
    10**9,
    2**63,
    10**30,
    0.5,
    "",
    "0 - 9",
    "\ud800",
    True,
    [],
    {},
    [[]],
]
ODD += [float("nan"), {"num": 1, "den": 10**18}, [10**20], ["a"]]


def places_in(content, parents=()):
    """Return the places of all values in nested tables and lists."""
    keys = content if isinstance(content, dict) else range(min(3, len(content)))
    places = []
    for key in keys:
        places.append((*parents, key))
        if isinstance(content[key], dict | list):
            places += places_in(content[key], (*parents, key))
    return places


@pytest.mark.parametrize("name", ["movie_u16_gaps.isxd", *SETS])
@FUZZ
@given(data=st.data())
def test_odd_values_in_a_footer_raise_nothing_but_read_errors(name, data, tmp_path):
    content = (DATA / "isxd" / name).read_bytes()
    length = struct.unpack("<Q", content[-8:])[0]
    footer = json.loads(content[-9 - length : -9])
    *parents, last = data.draw(st.sampled_from(places_in(footer)))
    table = footer
    for parent in parents:
        table = table[parent]
    table[last] = data.draw(st.sampled_from(ODD))
    text = json.dumps(footer).encode()
    path = tmp_path / name
    path.write_bytes(
        content[: -9 - length] + text + b"\0" + struct.pack("<Q", len(text))
    )
    check_only_read_errors(path, SETS.get(name, read_all))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seed", range(10))
def test_a_truncated_set_is_refused(name, seed, tmp_path):
    content = (DATA / "isxd" / name).read_bytes()
    length = int(np.random.default_rng(seed).integers(0, len(content)))
    path = tmp_path / name
    path.write_bytes(content[:length])
    with pytest.raises(ReadError, match=name):
        SETS[name](path)


@pytest.mark.parametrize("name", SETS)
@FUZZ
@given(data=st.data())
def test_changed_bytes_of_a_set_raise_nothing_but_read_errors(name, data, tmp_path):
    path = tmp_path / name
    path.write_bytes(changed(DATA / "isxd" / name, data))
    check_only_read_errors(path, SETS[name])
