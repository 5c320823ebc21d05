"""Start napari with a project, as a module: ``... hooks.launch DIR``."""

import sys
from collections.abc import Sequence

import napari

from napari_mesmerize.widgets.napari_api import PLUGIN, show_dock
from napari_mesmerize.widgets.project.dock import ProjectDock


def open_project_in_napari(folder: str, *, sample: int = 0) -> "napari.Viewer":
    """Return a new viewer with the plugin's docks, a project and one of its samples.

    Parameters
    ----------
    folder : str
        Project folder.
    sample : int, optional
        Position of the sample that is opened; nothing is opened in an empty project.
    """
    viewer = napari.Viewer(title="napari-mesmerize")
    project = show_dock(viewer, ProjectDock, "Project")
    viewer.window.add_plugin_dock_widget(PLUGIN, "ROI manager", tabify=True)
    viewer.window.add_plugin_dock_widget(PLUGIN, "Traces")
    project.open_at(folder, sample=sample)
    return viewer


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the project folder named on the command line and wait for the window."""
    folders = list(sys.argv[1:] if arguments is None else arguments)
    for folder in folders[:1]:
        open_project_in_napari(folder)
    napari.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
