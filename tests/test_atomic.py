"""Files and folders whole or not at all: races, faults, kills, leftovers, links."""

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import disk_steps
import pytest

from napari_mesmerize import atomic
from napari_mesmerize.atomic import (
    carry_over,
    explain,
    open_whole,
    settle,
    write_bytes,
    write_json,
    write_text,
    written_whole,
)
from napari_mesmerize.errors import Cancelled, ReadError, WriteError

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")


def write_file(path, version, *, overwrite=True):
    write_text(path, f"version {version}" * 100, overwrite=overwrite)


def write_folder(path, version, *, overwrite=True):
    with written_whole(path, overwrite=overwrite) as parts:
        (parts / "inner").mkdir(parents=True)
        for name in ("a", "b", "inner/c"):
            (parts / name).write_text(f"version {version}")


WRITERS = {"file": write_file, "folder": write_folder}


@pytest.fixture(params=["as it is", "no rename with flags", "no hard links either"])
def system(request, monkeypatch):
    """What the system can do; the tests hold on each."""

    def refuse(*_, **__):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    if request.param != "as it is":
        monkeypatch.setattr(atomic, "_system_rename", lambda: None)
    if request.param == "no hard links either":
        monkeypatch.setattr(os, "link", refuse)
    return request.param


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


@pytest.fixture
def versions(write, tmp_path):
    """What the versions 0 and 1 hold."""
    held = []
    for version in range(2):
        place = tmp_path / "made" / str(version)
        place.parent.mkdir(exist_ok=True)
        write(place, version)
        held.append(disk_steps.contents(place))
    return held


def two_renames(write, system):
    """Return whether replacing takes two renames."""
    can_not = system != "as it is" or atomic._system_rename() is None
    return write is write_folder and can_not


# ---------------------------------------------------------------------- what is written


def test_texts_bytes_and_json_come_back(tmp_path):
    write_text(tmp_path / "t", "ä\nb\r\n", overwrite=False)
    write_bytes(tmp_path / "b", b"\x00\xff", overwrite=False)
    write_json(tmp_path / "j", {"a": float("nan"), "b": "ä"}, overwrite=False)
    with open_whole(tmp_path / "o", overwrite=False) as file:
        file.write(b"open")
    assert (tmp_path / "t").read_bytes() == "ä\nb\r\n".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert (tmp_path / "j").read_text("utf-8") == '{\n  "a": null,\n  "b": "ä"\n}\n'
    assert (tmp_path / "o").read_bytes() == b"open"


def test_what_is_there_is_replaced_only_when_told(write, tmp_path, versions, system):
    path = tmp_path / "a.x"
    write(path, 0, overwrite=False)
    with pytest.raises(WriteError, match=r"a\.x exists; .* say overwrite=True"):
        write(path, 1, overwrite=False)
    assert disk_steps.contents(path) == versions[0]
    write(path, 1, overwrite=True)
    assert disk_steps.contents(path) == versions[1]
    write(tmp_path / "new.x", 1, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["a.x", "made", "new.x"]


def overtaken(path, mine, theirs):
    """Write while somebody else takes the name."""
    with written_whole(path, overwrite=False) as parts:
        mine(parts)
        theirs(path)


def make_file(path):
    path.write_bytes(path.name.encode())


def make_folder(path):
    path.mkdir()
    (path / "inside").touch()


@pytest.mark.parametrize("mine", [make_file, make_folder])
@pytest.mark.parametrize("theirs", [make_file, make_folder])
def test_what_appears_meanwhile_is_kept(mine, theirs, tmp_path, system):
    path, same = tmp_path / "a", tmp_path / "elsewhere" / "a"
    same.parent.mkdir()
    theirs(same)
    with pytest.raises(WriteError, match=r"a appeared while it was written, and is"):
        overtaken(path, mine, theirs)
    assert disk_steps.contents(path) == disk_steps.contents(same)
    assert sorted(os.listdir(tmp_path)) == ["a", "elsewhere"]


def test_a_folder_replaces_a_file_but_no_file_a_folder(tmp_path, system):
    write_file(tmp_path / "a", 0)
    write_folder(tmp_path / "a", 1)
    assert (tmp_path / "a" / "b").read_text() == "version 1"
    with pytest.raises(WriteError, match=r"a was not written: a folder has that name"):
        write_file(tmp_path / "a", 2)
    assert (tmp_path / "a" / "b").read_text() == "version 1"
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_is_replaced_not_what_it_leads_to(write, tmp_path, system):
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, 0)
    before = disk_steps.contents(elsewhere)
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    if write is write_file:
        write(link, 1)
    else:
        write_folder(link, 1)
    assert not link.is_symlink()
    assert disk_steps.contents(elsewhere) == before
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    with pytest.raises(WriteError, match="exists"):
        write(tmp_path / "lost", 1, overwrite=False)


def test_an_empty_folder_may_count_as_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    with written_whole(tmp_path / "a", overwrite=False, into_empty=True) as parts:
        parts.mkdir()
        (parts / "b").touch()
    assert os.listdir(tmp_path / "a") == ["b"]
    with pytest.raises(WriteError, match="a exists"):
        written_whole(tmp_path / "a", overwrite=False, into_empty=True).__enter__()
    (tmp_path / "e").mkdir()
    with (
        pytest.raises(Cancelled),
        written_whole(tmp_path / "e", overwrite=False, into_empty=True),
    ):
        raise Cancelled
    assert os.listdir(tmp_path / "e") == []


def test_a_folder_that_is_not_there_is_named(write, tmp_path):
    (tmp_path / "file").touch()
    for parent in ("absent", "file"):
        with pytest.raises(WriteError, match=f"{parent} does not exist; make it first"):
            write(tmp_path / parent / "a", 0)


@pytest.mark.parametrize("length", [1, 200, 255])
def test_names_may_be_as_long_as_the_system_takes(length, tmp_path):
    name = ("ä" * 127 + "x")[: max(1, length // 2)] + "y" * (length % 2)
    write_folder(tmp_path / name, 0)
    write_folder(tmp_path / name, 1)
    assert (tmp_path / name / "a").read_text() == "version 1"


@pytest.mark.parametrize(
    "error", [ReadError("the source is away"), ValueError("x"), KeyboardInterrupt()]
)
def test_errors_of_others_pass_and_leave_nothing(error, tmp_path):
    def fail(path):
        raise error

    with pytest.raises(type(error)) as caught:
        overtaken(tmp_path / "a", make_folder, fail)
    assert caught.value is error
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, r"disk is full or a quota .*Free space there"),
        (errno.EDQUOT, r"disk is full or a quota .*Free space there"),
        (
            errno.EACCES,
            r"read-only for you \(Permission denied\).*choose another folder",
        ),
        (errno.EROFS, r"read-only for you .*work on a copy"),
        (errno.ENAMETOOLONG, r"refuses a name .*Use shorter names"),
        (errno.EIO, r"error. See that the disk or share is there, and try again"),
    ],
)
def test_an_error_says_cause_and_remedy(code, words, tmp_path):
    with (
        pytest.raises(WriteError, match=f"a was not written: .*{words}.*unchanged"),
        written_whole(tmp_path / "a", overwrite=False),
    ):
        raise OSError(code, os.strerror(code))
    cause = OSError(code, os.strerror(code))
    wrapped = WriteError("a was not written")
    wrapped.__cause__ = cause
    expected = str(wrapped) if code == errno.EIO else explain(cause)
    assert explain(wrapped) == expected


# --------------------------------------------------------------- flushed, and in order


def test_all_is_flushed_before_it_gets_its_place(tmp_path, system):
    with disk_steps.watching(tmp_path) as steps:
        write_folder(tmp_path / "a", 0, overwrite=False)
    last_write = max(i for i, step in enumerate(steps) if step in ("open", "os.mkdir"))
    placed = [
        i
        for i, step in enumerate(steps)
        if step in ("rename at once", "os.rename") and i > last_write
    ]
    assert steps[last_write + 1 : placed[0]] == ["os.fsync"] * 5  # 3 files, 2 folders
    after = [step for step in steps[placed[-1] + 1 :] if step != "os.remove"]
    assert after == ["os.fsync"]  # the folder it lies in
    with disk_steps.watching(tmp_path) as steps:
        write_text(tmp_path / "b", "x", overwrite=True, sync=False)
    assert "os.fsync" not in steps


def test_old_or_new_is_there_at_each_step(tmp_path, versions, write, system):
    path, seen = tmp_path / "a", []
    write(path, 0)

    def look(event):
        found = disk_steps.contents(path)
        if found is None:  # between two renames: the new one can be found
            (name,) = [n for n in disk_steps.hidden_in(tmp_path) if ".new" in n]
            found = disk_steps.contents(tmp_path / name)
            seen.append("gap")
        assert found in versions

    watch = disk_steps.Watch(tmp_path, look)
    write(path, 1)
    watch.stop()
    assert disk_steps.contents(path) == versions[1]
    assert bool(seen) == two_renames(write, system)


# ------------------------------------------------------------------------ faults, kills


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_any_step_may_fail(write, there, once, tmp_path, versions, system):
    place = tmp_path / "place"
    place.mkdir()
    path = place / "a.x"
    for after in range(100):
        atomic.remove(path)
        for name in disk_steps.hidden_in(place):
            atomic.remove(place / name)
        if there:
            write(path, 0)
        raised = None
        with disk_steps.failing(place, after, once=once) as failed:
            try:
                write(path, 1, overwrite=there)
            except WriteError as error:
                raised = error
        old = versions[0] if there else None
        if "put in its place" in str(raised):  # not even the way back worked
            assert f"lies, complete, in {place}" in str(raised)
            settle(path)
            assert disk_steps.contents(path) == versions[1]
        else:
            assert disk_steps.contents(path) == (old if raised else versions[1])
            if not set(failed) & set(disk_steps.REMOVALS):
                assert disk_steps.hidden_in(place) == []
        if not failed:
            break
        if raised:
            assert re.search("was not (written|put in its place)", str(raised))
    assert after > 3
    assert not failed


@needs_fork
@pytest.mark.parametrize("there", [True, False])
def test_any_step_may_be_the_last(write, there, tmp_path, versions, system):
    place = tmp_path / "place"
    place.mkdir()
    path, was_gap = place / "a.x", False
    for step in range(100):
        atomic.remove(path)
        if there:
            write(path, 0)
        killed = disk_steps.killed_at(
            step, place, lambda: write(path, 1, overwrite=there)
        )
        was_gap |= there and not path.exists()
        settle(path)
        old = versions[0] if there else None
        assert disk_steps.contents(path) in (old, versions[1])
        assert disk_steps.hidden_in(place) == []
        if not killed:
            break
        write(path, 0)
        assert disk_steps.contents(path) == versions[0]
        assert disk_steps.hidden_in(place) == []
    assert not killed
    assert was_gap == (there and two_renames(write, system))


def test_a_failed_second_rename_puts_the_old_folder_back(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_system_rename", lambda: None)
    write_folder(tmp_path / "a", 0)
    rename = os.rename

    def fail(source, target):
        if ".new" in str(source):
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(WriteError, match="Permission denied"):
        write_folder(tmp_path / "a", 1)
    assert (tmp_path / "a" / "a").read_text() == "version 0"
    assert os.listdir(tmp_path) == ["a"]


def test_a_reader_may_finish_what_a_writer_is_about_to(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_system_rename", lambda: None)
    path = tmp_path / "a"
    write_folder(path, 0)
    rename, settled = os.rename, []

    def slow(source, target):
        if ".new" in str(source) and not settled:
            settled.append(True)
            assert not path.exists()
            settle(path)
            assert (path / "a").read_text() == "version 1"
        rename(source, target)

    monkeypatch.setattr(os, "rename", slow)
    write_folder(path, 1)
    assert (path / "a").read_text() == "version 1"
    assert settled
    assert os.listdir(tmp_path) == ["a"]


# ---------------------------------------------------------------------------- leftovers

LINGER = """
import sys, time
from pathlib import Path
from napari_mesmerize import atomic
parts = atomic._hidden(Path(sys.argv[1]), atomic._TEMPORARY)
parts.mkdir()
(parts / "half").touch()
print(parts.name, flush=True)
time.sleep(600)
"""


def test_what_a_dead_process_left_goes_and_what_a_living_one_writes_stays(tmp_path):
    path = tmp_path / "a.zarr"
    command = [sys.executable, "-c", LINGER, str(path)]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        name = other.stdout.readline().strip()
        assert name.startswith(".a.zarr.")
        assert name.endswith(".tmp.zarr")
        write_folder(path, 0)
        settle(path)
        assert disk_steps.hidden_in(tmp_path) == [name]
        other.kill()
        while other.poll() is None:
            time.sleep(0.01)
        write_folder(path.with_name("a"), 0)  # other targets are no business of ours
        write_folder(path.with_name("b.zarr"), 0)
        assert disk_steps.hidden_in(tmp_path) == [name]
        write_folder(path, 1)
        assert disk_steps.hidden_in(tmp_path) == []
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


def test_a_process_whose_number_was_given_anew_is_dead(tmp_path):
    path = tmp_path / "a"
    name = atomic._hidden(path, atomic._TEMPORARY).name
    host, pid, started, token = name.split(".")[2].split("-")
    long_ago = f"{int(started, 16) - 1000:x}"
    (tmp_path / f".a.{host}-{pid}-{long_ago}-{token}.tmp").touch()
    elsewhere = f"{(int(host, 16) + 1) % 16**6:06x}"
    theirs = f".a.{elsewhere}-{pid}-{long_ago}-{token}.tmp"
    (tmp_path / theirs).touch()
    (tmp_path / name).touch()
    (tmp_path / ".a.something.tmp").touch()
    write_file(path, 0)
    stay = sorted([theirs, name, ".a.something.tmp"])
    assert sorted(disk_steps.hidden_in(tmp_path)) == stay
    atomic._being_written.discard(name)  # this process gave it up
    write_file(path, 1)
    stay.remove(name)
    assert sorted(disk_steps.hidden_in(tmp_path)) == stay


# ----------------------------------------------------------------------- carried over


def test_carried_files_are_the_same_files(tmp_path):
    write_folder(tmp_path / "a", 0)
    (tmp_path / "a" / "inner" / "empty").mkdir()
    (tmp_path / "a" / "link").symlink_to("b")
    (tmp_path / "a" / "far").symlink_to("inner")
    carry_over(tmp_path / "a", tmp_path / "z")
    carry_over(tmp_path / "a" / "b", tmp_path / "b")
    assert disk_steps.contents(tmp_path / "z") == disk_steps.contents(tmp_path / "a")
    for name in ("a", "b", "inner/c"):
        assert (tmp_path / "a" / name).samefile(tmp_path / "z" / name)
    assert (tmp_path / "b").stat().st_nlink == 3
    assert os.readlink(tmp_path / "z" / "link") == "b"
    assert os.readlink(tmp_path / "z" / "far") == "inner"
    with disk_steps.watching(tmp_path) as steps:
        atomic.sync_tree(tmp_path / "z")
    assert steps == ["os.fsync"] * 3  # the folders; the files lie on disk already
    write_file(tmp_path / "z" / "b", 1)  # replaced, not changed in place
    assert (tmp_path / "a" / "b").read_text() == "version 0"


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_where_nothing_can_be_linked_it_is_copied(code, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    write_folder(tmp_path / "a", 0)
    monkeypatch.setattr(os, "link", refuse)
    carry_over(tmp_path / "a", tmp_path / "z")
    assert disk_steps.contents(tmp_path / "z") == disk_steps.contents(tmp_path / "a")
    assert not (tmp_path / "a" / "b").samefile(tmp_path / "z" / "b")
    with disk_steps.watching(tmp_path) as steps:
        atomic.sync_tree(tmp_path / "z")
    assert len(steps) == 5  # the copies too


def test_nothing_is_carried_onto_something(tmp_path):
    write_folder(tmp_path / "a", 0)
    write_folder(tmp_path / "z", 1)
    for name in ("", "b"):
        with pytest.raises(FileExistsError):
            carry_over(tmp_path / "a" / name, tmp_path / "z" / name)
    assert (tmp_path / "z" / "b").read_text() == "version 1"


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_complete_is_put_in_its_place(tmp_path, overwrite):
    ready, place = tmp_path / "a.partial", tmp_path / "a"
    ready.mkdir()
    (ready / "file").write_text("new")
    if overwrite:
        place.mkdir()
        (place / "file").write_text("old")
    atomic.put_in_place(ready, place, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (place / "file").read_text() == "new"


def test_what_is_complete_stays_where_it_can_not_get_its_place(tmp_path, monkeypatch):
    ready, place = tmp_path / "a.partial", tmp_path / "a"
    for folder, text in ((ready, "new"), (place, "old")):
        folder.mkdir()
        (folder / "file").write_text(text)
    with pytest.raises(WriteError, match="overwrite=True"):
        atomic.put_in_place(ready, place, overwrite=False)
    rename = os.rename

    def refuse(source, target):
        if Path(source) == place:
            raise PermissionError(errno.EACCES, "open elsewhere")
        rename(source, target)

    monkeypatch.setattr(atomic, "_system_rename", lambda: None)
    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(PermissionError):
        atomic.put_in_place(ready, place, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"a.partial", "a"}
    assert (ready / "file").read_text() == "new"
    assert (place / "file").read_text() == "old"
