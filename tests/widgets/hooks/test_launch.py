import subprocess
import sys

import numpy as np
import pytest

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.project import create_project
from napari_mesmerize.widgets.hooks import launch


@pytest.fixture
def project(tmp_path):
    rng = np.random.default_rng(0)
    footprints = np.zeros((20 * 24, 2), np.float32)
    footprints[[25, 26, 49, 50], 0] = 1
    footprints[[300, 301, 324, 325], 1] = 1
    components = Components.build(
        footprints, (20, 24), {"raw": rng.random((2, 30))}, frame_rate=10.0
    )
    recording = as_recording(rng.random((30, 20, 24), np.float32), frame_rate=10.0)
    project = create_project(tmp_path / "study")
    project.add_sample(
        "m1",
        "1",
        recording=recording,
        components=components,
        rois=roi_table_from_components(components),
        copy_recording=True,
    )
    project.close()
    return project.path


def test_a_project_opens_with_its_first_sample(project, qtbot):
    viewer = launch.open_project_in_napari(str(project))
    try:
        qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
        assert viewer.layers[0].data.shape == (30, 20, 24)
        assert len(viewer.layers[1].features) >= 2
    finally:
        viewer.close()


def test_the_probe_names_opengl_in_a_process_of_its_own():
    command = [sys.executable, "-m", "napari_mesmerize.widgets.hooks.opengl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout[0].isdigit()
