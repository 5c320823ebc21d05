"""Writes to a project and is killed on the way: test_crash.py runs it; it is no test.

``python crash_process.py PROJECT`` reads lines ``OPERATION VERSION AT`` from stdin. For
each it forks; the child does the operation and kills itself before its AT-th step that
changes the project folder (a number), or is killed after AT seconds (``0.123s``). One
line answers: ``killed``, ``done SECONDS`` or ``failed``.
"""

import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.project import Project, open_project

sys.path.append(str(Path(__file__).parents[1] / "helpers"))
from disk_steps import kill_at


def make_parts(version: int, *, n_rois: int = 3, n_frames: int = 8) -> dict[str, Any]:
    """Return what a sample of a version is made of; each part says the version."""
    footprints = np.eye(20, n_rois, dtype=np.float32)
    ids = [f"roi-{version}-{i}" for i in range(n_rois)]
    components = Components.build(
        footprints,
        (4, 5),
        {
            "raw": np.full((n_rois, n_frames), version),
            "spikes": np.full((n_rois, n_frames), version + 0.5),
        },
        scores=pd.DataFrame({"snr": np.full(n_rois, version + 0.25)}),
        roi_ids=ids,
        frame_rate=10.0,
    )
    rois = pd.DataFrame(
        {
            "kind": "cnmf",
            "outline": [[[0.0, 0.0], [0.0, 1.0], [1.0, 1.0 + version]]] * n_rois,
            "accepted": [i % 2 == 0 for i in range(n_rois)],
            "region": [f"region {version}"] * n_rois,
            "snr": np.full(n_rois, version + 0.25),
        },
        index=pd.Index(ids, name="roi_id", dtype=object),
    )
    frames = np.full((n_frames, 4, 5), version, dtype=np.uint16)
    return {
        "recording": as_recording(frames, frame_rate=10.0, name=f"version {version}"),
        "components": components,
        "rois": rois,
        "epochs": make_epochs([("odour", f"version {version}", 0.1, 0.5, "#ff0000")]),
        "projections": {"mean": np.full((4, 5), version, dtype=np.float32)},
        "comments": f"version {version}",
        "custom": {"age_days": version},
        "copy_recording": True,
    }


def add(project: Project, version: int) -> None:
    project.add_sample("new", f"v{version}", **make_parts(version))


def overwrite(project: Project, version: int) -> None:
    project.add_sample("m1", "t1", **make_parts(version), overwrite=True)


def update_rois(project: Project, version: int) -> None:
    rois = project.sample("m1-_-t1").rois
    rois["region"] = f"edit {version}"
    project.update_rois("m1-_-t1", rois)


def update_sample(project: Project, version: int) -> None:
    project.update_sample("m1-_-t1", comments=f"edit {version}")


def remove(project: Project, version: int) -> None:
    project.remove_sample(next(s for s in project.samples if s.startswith("new")))


def restore(project: Project, version: int) -> None:
    project.restore(project.backups("m1-_-t1")[-1])


def configure(project: Project, version: int) -> None:
    project.add_roi_tag(f"tag{version}")


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        add,
        overwrite,
        update_rois,
        update_sample,
        remove,
        restore,
        configure,
    )
}


def run(project: Path, operation: str, version: int, at: str) -> str:
    """Do an operation in a child that dies; say how it ended."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            opened = open_project(project)
            if not at.endswith("s"):
                kill_at(int(at), project)
            OPERATIONS[operation](opened, version)
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    if at.endswith("s"):
        time.sleep(float(at[:-1]))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        return f"done {time.perf_counter() - start}"
    return f"failed {status}"


def main() -> None:
    project = Path(sys.argv[1])
    for line in sys.stdin:
        operation, version, at = line.split()
        print(run(project, operation, int(version), at), flush=True)


if __name__ == "__main__":
    main()
