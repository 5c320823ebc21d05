"""napari's reader: files, folders and lists of files as recordings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning

from napari_mesmerize.errors import ReadError

LayerData = tuple[Any, dict[str, Any], str]
_MOST_LAYERS = 8


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return the reader of a path, or ``None`` where it is none of ours.

    Parameters
    ----------
    path : str or list of str
        A file, a folder, or the files of one recording.
    """
    from napari_mesmerize.io import SUFFIXES

    known = tuple(SUFFIXES)
    first = Path(path[0] if isinstance(path, list) else path)
    if first.name.lower().endswith(known):
        return read
    if not first.is_dir():
        return None
    if (first / "mesmerize.json").is_file():
        return open_project
    inside = (file.name.lower() for file in first.iterdir())
    return read if any(name.endswith(known) for name in inside) else None


def open_project(path: str | list[str]) -> list[LayerData]:
    """Open a project folder in the project dock; it adds no layer by itself."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise ReadError(
            f"{path} is a project; open it in a script with open_project(path)."
        )
    _, dock = viewer.window.add_plugin_dock_widget("napari-mesmerize", "Project")
    dock.open_at(path[0] if isinstance(path, list) else path)
    return [(None,)]


def read(path: str | list[str]) -> list[LayerData]:
    """Open what a path holds, a layer a recording; the first is shown."""
    from napari_mesmerize.io import list_recordings

    infos = [info for info in list_recordings(path) if not info.problem]
    if not infos:
        infos = list_recordings(path)
    movies = [info for info in infos if info.n_frames > 1] or infos
    if not movies:
        raise ReadError(f"{path} holds no recording; expected at least one.")
    if len(movies) > _MOST_LAYERS:
        show_warning(
            f"{Path(str(path)).name} holds {len(movies)} recordings; the first "
            f"{_MOST_LAYERS} were opened. For the others: read_recording(path, "
            "selection=...) in the console."
        )
    layers = []
    for info in movies[:_MOST_LAYERS]:
        selection = info.selection if len(movies) > 1 else None
        layers.append(_layer(path, selection, visible=not layers))
    return layers


def _layer(path: Any, selection: Any, *, visible: bool) -> LayerData:
    from napari_mesmerize.io import read_recording
    from napari_mesmerize.widgets.layers import layer_data_tuple

    recording = read_recording(path, selection=selection)
    options: dict[str, Any] = {"visible": visible}
    if selection is not None:
        options["name"] = f"{recording.name} [{selection}]"
    return layer_data_tuple(recording, **options)
