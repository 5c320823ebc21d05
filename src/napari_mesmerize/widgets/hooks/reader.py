"""napari's reader: recordings, and what other programs found in one that is open."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from napari.utils.notifications import show_warning

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.signals import is_signal_file
from napari_mesmerize.io.sniff import (
    holds_recording,
    is_label_image,
    results_in,
)
from napari_mesmerize.widgets.layers.recordings import is_recording, recording_of

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

D = TypeVar("D", bound="QWidget")
LayerData: TypeAlias = tuple[Any, dict[str, Any], str] | tuple[None]
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
    if results_in(first) is not None:
        return open_results
    if is_signal_file(first):
        return open_signals
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
    from napari_mesmerize.widgets.project.dock import ProjectDock

    advice = f"{path} is a project; open_project(path) opens it."
    dock = _dock(ProjectDock, "Project", advice)
    dock.open_at(path[0] if isinstance(path, list) else path)
    return [(None,)]


def open_results(path: str | list[str]) -> list[LayerData]:
    """Compare results with the open recording, in the import dock, and show them.

    Where a movie lies with them (an NWB file, a folder), and is not open yet, it is
    opened too.
    """
    from napari_mesmerize.widgets.results.import_dock import ImportDock

    first = str(path[0] if isinstance(path, list) else path)
    advice = f"{first} holds results; read_results(path) reads it."
    dock = _dock(ImportDock, "Import results", advice)
    movies: list[LayerData] = [(None,)]
    if holds_recording(first) and not _is_open(first):
        movies = _movies(first)
    dock.look_at(first, show=True)
    return movies


def open_signals(path: str | list[str]) -> list[LayerData]:
    """Show signals (Inscopix GPIO, IMU) in the stimulus dock; they are no layer."""
    from napari_mesmerize.widgets.stimulus.dock import StimulusDock

    first = str(path[0] if isinstance(path, list) else path)
    advice = f"{first} holds signals; see read_signals(path)."
    dock = _dock(StimulusDock, "Stimulus mapping", advice)
    dock.look_at(first)
    return [(None,)]


def _dock(kind: type[D], name: str, advice: str) -> D:
    """Return a dock of the viewer that a file was dropped on, and show it."""
    import napari

    from napari_mesmerize.widgets.napari_api import show_dock

    viewer = napari.current_viewer()
    if viewer is None:
        raise ReadError(f"{advice} Without napari's window it has no place to go.")
    return show_dock(viewer, kind, name)


def _is_open(path: str) -> bool:
    import napari

    from napari_mesmerize.widgets.session.session import get_session

    viewer = napari.current_viewer()
    if viewer is None:
        return False
    session = get_session(viewer)
    sources = (
        recording_of(layer).attrs.get("source") or {}
        for layer in session.recording_layers()
    )
    return any(str(source.get("uri", "")).startswith(path) for source in sources)


def read(path: str | list[str]) -> list[LayerData]:
    """Open what a path holds, a layer a recording; the first is shown.

    A label image of the recording that is open goes to the import dock.
    """
    if isinstance(path, str) and is_label_image(path, _open_shapes()):
        return open_results(path)
    return _movies(path)


def _open_shapes() -> list[tuple[int, ...]]:
    """Return the image shapes of the recordings that are open."""
    import napari

    viewer = napari.current_viewer()
    layers = [] if viewer is None else viewer.layers
    return [layer.data.shape[1:] for layer in layers if is_recording(layer)]


def _movies(path: str | list[str]) -> list[LayerData]:
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
    layers: list[LayerData] = []
    for info in movies[:_MOST_LAYERS]:
        selection = info.selection if len(movies) > 1 else None
        layers.append(_layer(path, selection, visible=not layers))
    return layers


def _layer(path: str | list[str], selection: str | None, *, visible: bool) -> LayerData:
    from napari_mesmerize.io import read_recording
    from napari_mesmerize.widgets.layers.recordings import layer_data_tuple

    recording = read_recording(path, selection=selection)
    options: dict[str, Any] = {"visible": visible}
    parts = [] if selection is None else selection.split("/")
    if not all(part in str(recording.name) for part in parts):
        options["name"] = f"{recording.name} [{selection}]"
    return layer_data_tuple(recording, **options)
