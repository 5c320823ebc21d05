"""Projects with samples whose every part says which version it is."""

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from napari_mesmerize.project import Project, create_project, open_project

CRASH_PROCESS = Path(__file__).with_name("crash_process.py")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("crash_process", CRASH_PROCESS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def crash_process():
    """The module that writes and is killed."""
    return _load()


@pytest.fixture(scope="session")
def make_parts(crash_process):
    """``make_parts(version)``: keywords of ``add_sample``."""
    return crash_process.make_parts


@pytest.fixture
def project(tmp_path) -> Project:
    """An empty project with a tag, a stimulus type and a custom column."""
    return create_project(
        tmp_path / "project",
        roi_tags=["region"],
        stimulus_types=["odour"],
        custom_columns={"age_days": {"dtype": "int", "default": -1}},
    )


@pytest.fixture
def sample(project, make_parts):
    """A sample, version 0, of ``project``."""
    return project.add_sample("m1", "t1", **make_parts(0))


@pytest.fixture
def killed_while():
    """``killed_while(script, project)``: the project after a script killed itself."""

    def killed_while(script: str, project: Project) -> Project:
        if sys.platform == "win32":
            pytest.skip("Windows has no signal that kills a process")
        done = subprocess.run([sys.executable, "-c", script, project.path], check=False)
        assert done.returncode == -signal.SIGKILL
        return open_project(project.path)

    return killed_while


@pytest.fixture(scope="session")
def version_of():
    """``version_of(sample)``: which version it is; fails if its parts disagree."""

    def version_of(sample) -> int:
        assert sample.verify() == []
        version = int(sample.custom["age_days"])
        components, rois = sample.components, sample.rois
        assert sample.facts["name"] == f"version {version}"
        assert list(components.roi_ids) == [f"roi-{version}-{i}" for i in range(3)]
        assert list(rois.index) == list(components.roi_ids)
        assert (components.traces["raw"] == version).all()
        assert (components.traces["spikes"] == version + 0.5).all()
        assert (rois["snr"] == version + 0.25).all()
        assert rois["outline"].iloc[0][2] == [1.0, 1.0 + version]
        assert rois["region"].nunique() == 1
        assert list(sample.epochs["name"]) == [f"version {version}"]
        np.testing.assert_array_equal(sample.projections["mean"], version)
        np.testing.assert_array_equal(sample.open_recording(), version)
        return version

    return version_of
