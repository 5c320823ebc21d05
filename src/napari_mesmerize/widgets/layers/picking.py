"""Clicks and keys in the canvas: select, accept and reject ROIs."""

import weakref
from collections.abc import Generator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

NEXT_KEY, PREVIOUS_KEY = "PageDown", "PageUp"
UNDO_KEY, REDO_KEY = "Control-Z", "Control-Shift-Z"
ACCEPT_KEY, REJECT_KEY = "K", "J"


def install_picking(viewer: Any, session: Any) -> None:
    """Let clicks select ROIs and keys curate them, whichever layer is active."""
    known = weakref.ref(session)

    def on_click(viewer: Any, event: Any) -> Generator[None]:
        start = np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        moved = np.abs(np.asarray(event.pos) - start).max() > 4
        active = viewer.layers.selection.active
        looking = active is None or (
            isinstance(active, Image | Labels) and active.mode == "pan_zoom"
        )
        if not moved and looking and event.button == 1 and known() is not None:
            select_at(known(), event.position)

    viewer.mouse_drag_callbacks.append(on_click)
    for key, action in (
        (NEXT_KEY, lambda rois: rois.step(1, _shown(known()))),
        (PREVIOUS_KEY, lambda rois: rois.step(-1, _shown(known()))),
        (ACCEPT_KEY, lambda rois: rois.set_accepted(True)),
        (REJECT_KEY, lambda rois: rois.set_accepted(False)),
    ):
        viewer.bind_key(key, _key_handler(known, action), overwrite=True)

    bind_undo(viewer, session)


def bind_undo(to: ViewerModel | Layer, session: Any) -> None:
    """Let the keys of undo and redo take back steps of curation.

    A Labels layer of napari takes these keys for its own strokes; the layer of ROIs,
    which nobody paints in, needs them too.
    """
    known = weakref.ref(session)

    def undo(_: Any) -> None:
        session = known()
        if session is not None:
            session.undo()

    def redo(_: Any) -> None:
        session = known()
        if session is not None:
            session.redo()

    to.bind_key(UNDO_KEY, undo, overwrite=True)
    to.bind_key(REDO_KEY, redo, overwrite=True)


def _key_handler(known: Any, action: Any) -> Any:
    def on_key(viewer: Any) -> None:
        session = known()
        if session is not None and session.roi_set is not None:
            action(session.roi_set)

    return on_key


def _shown(session: Any) -> Any:
    return None if session is None else session.shown


def select_at(session: Any, position: Any) -> None:
    """Select the ROI at a position in the canvas; where several overlap, in turn."""
    shown = session.roi_layer
    if shown is None or not shown.layer.visible:
        return
    roi_set = shown.roi_set
    ndim = len(roi_set.components.image_shape)
    data = shown.layer.world_to_data(np.asarray(position))[-ndim:]
    found = roi_set.at_pixel(tuple(round(float(at)) for at in data))
    if not found:
        return
    if roi_set.selected in found:
        at = (found.index(roi_set.selected) + 1) % len(found)
        roi_set.select(found[at])
    else:
        roi_set.select(found[0])
