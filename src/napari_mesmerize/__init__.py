"""Calcium-imaging analysis in napari, from a script and on the command line.

The names below are the public API; each is loaded when it is first used, so that
importing the package stays cheap.
"""

from typing import TYPE_CHECKING, Any

from napari_mesmerize.deferred import deferred

if TYPE_CHECKING:
    from napari_mesmerize.cnmf import (
        Cnmf3dParams,
        CnmfeParams,
        CnmfParams,
        extract_components,
    )
    from napari_mesmerize.data.components import Components
    from napari_mesmerize.data.recording import as_recording
    from napari_mesmerize.data.traces import dff, extract_traces
    from napari_mesmerize.io import list_recordings, read_recording
    from napari_mesmerize.motion import (
        PiecewiseParams,
        RigidParams,
        apply_motion,
        correct_motion,
    )
    from napari_mesmerize.project import create_project, open_project
    from napari_mesmerize.simulation.simulate import simulate

__all__ = [
    "Cnmf3dParams",
    "CnmfParams",
    "CnmfeParams",
    "Components",
    "PiecewiseParams",
    "RigidParams",
    "__version__",
    "apply_motion",
    "as_recording",
    "correct_motion",
    "create_project",
    "dff",
    "extract_components",
    "extract_traces",
    "list_recordings",
    "open_project",
    "read_recording",
    "simulate",
]

_HOMES = {
    "Cnmf3dParams": "cnmf",
    "CnmfParams": "cnmf",
    "CnmfeParams": "cnmf",
    "Components": "data.components",
    "PiecewiseParams": "motion",
    "RigidParams": "motion",
    "apply_motion": "motion",
    "as_recording": "data.recording",
    "correct_motion": "motion",
    "create_project": "project",
    "dff": "data.traces",
    "extract_components": "cnmf",
    "extract_traces": "data.traces",
    "list_recordings": "io",
    "open_project": "project",
    "read_recording": "io",
    "simulate": "simulation.simulate",
}


_get, _ = deferred(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-mesmerize")
    return _get(name)


def __dir__() -> list[str]:
    return sorted(__all__)
