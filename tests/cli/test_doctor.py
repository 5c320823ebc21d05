import subprocess

import pytest

from napari_mesmerize.cli import doctor


def test_what_is_missing_comes_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    checks = {check.name: check for check in doctor.examine(graphics=False)}
    assert checks["[nwb]"].status == "missing"
    assert "pip install 'napari-mesmerize[nwb]'" in checks["[nwb]"].remedy


def test_a_machine_without_napari_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda name: "")
    checks = {check.name: check for check in doctor.examine()}
    assert "napari-mesmerize[all]" in checks["napari"].remedy
    assert checks["OpenGL"].status == "missing"


def test_without_a_display_opengl_is_not_tried(monkeypatch):
    monkeypatch.setattr(doctor, "has_display", lambda: False)
    checks = {check.name: check for check in doctor.examine()}
    assert checks["OpenGL"].found == "no display"
    assert "xvfb-run" in checks["OpenGL"].remedy


@pytest.mark.parametrize(
    ("probe", "status"),
    [
        (subprocess.CompletedProcess([], 0, "4.5 Mesa", ""), "ok"),
        (subprocess.CompletedProcess([], -6, "", "no\nGLX failed"), "warning"),
        (subprocess.TimeoutExpired("probe", 60), "warning"),
    ],
)
def test_a_broken_driver_is_reported_not_raised(monkeypatch, probe, status):
    def run(*args, **kwargs):
        if isinstance(probe, Exception):
            raise probe
        return probe

    monkeypatch.setattr(doctor, "has_display", lambda: True)
    monkeypatch.setattr(doctor.subprocess, "run", run)
    (check,) = [c for c in doctor.examine() if c.name == "OpenGL"]
    assert check.status == status
    assert check.found in (
        "4.5 Mesa",
        "does not start: GLX failed",
        "no answer in 60 s",
    )


def test_little_memory_and_a_full_disk_are_warned_of(monkeypatch):
    class Memory:
        available, total = 2**29, 2**33

    class Disk:
        free = 2**30

    monkeypatch.setattr(doctor.psutil, "virtual_memory", Memory)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: Disk)
    checks = {check.name: check for check in doctor.examine(graphics=False)}
    assert checks["memory"].status == checks["disk"].status == "warning"
    assert checks["disk"].found == "1.0 GiB free"
