"""Docks, readers and sample data; the only package that imports Qt or napari."""

from importlib.util import find_spec

from napari_mesmerize.errors import MissingExtraError


def _require_toolkit() -> None:
    """Refuse to start without the window toolkit; a server install has none."""
    needed = ("napari", "qtpy", "superqt", "pyqtgraph")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        extra = "all" if "napari" in missing else "gui"
        raise MissingExtraError(
            f"The windows of napari-mesmerize need {', '.join(missing)}: "
            f"pip install 'napari-mesmerize[{extra}]'. Then start napari again."
        )


_require_toolkit()
