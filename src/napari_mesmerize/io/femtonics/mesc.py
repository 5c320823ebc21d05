"""Femtonics ``.mesc`` files: sessions, units and channels of the MESc software."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.data.recording import Frames
from napari_mesmerize.errors import ReadError, reading
from napari_mesmerize.io.femtonics import mesc_attributes as attributes
from napari_mesmerize.io.femtonics.mesc_aod import Patch, PatchFrames, patches_of
from napari_mesmerize.io.femtonics.mesc_attributes import (
    Axis,
    number_of,
    plain,
    text_of,
)
from napari_mesmerize.io.femtonics.mesc_frames import (
    ConvertedFrames,
    DatasetFrames,
    FlippedFrames,
    converted_dtype,
)
from napari_mesmerize.io.hdf5 import attributes_of, open_hdf5
from napari_mesmerize.io.items import (
    Item,
    RecordingInfo,
    check_file,
    iso_date,
    kind_of,
)
from napari_mesmerize.io.times import even_times

_PAGE_MODES = (6, 7, 8, 9, 10)
_MULTICUBE = 11
MAX_CHANNELS = 64


def scan(path: Path, *, convert: bool = True, flip: bool = False) -> list[Item]:
    """Return the recordings in a ``.mesc`` file, a channel each; reads no pixels.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    convert : bool, optional
        Apply the file's own conversion of intensities (MESc 3 stores them inverted,
        later versions with a pedestal). False returns what is stored.
    flip : bool, optional
        Turn pictures upside down, as MESc shows them. False keeps the stored order,
        which is that of ROIs found by programs that read the raw data.

    Raises
    ------
    ReadError
        If it is no ``.mesc`` file, or damaged.
    """
    check_file(path)
    with open_hdf5(path) as file, reading(path, "a .mesc file"):
        names = unit_names(file)
        items = [
            item
            for name in names
            for item in _unit_items(path, file, name, _Options(convert, flip))
        ]
    if not names:
        raise ReadError(
            f"{path.name} is an HDF5 file without MSession_*/MUnit_* groups, which a "
            ".mesc file has. Name it .h5 if another program wrote it."
        )
    return items


def unit_names(file: Any) -> list[str]:
    """Return ``MSession_i/MUnit_j`` of all units, in the order of their numbers."""
    return [
        f"{session}/{unit}"
        for session in numbered(file, "MSession")
        for unit in numbered(file[session], "MUnit")
    ]


def numbered(group: Any, stem: str) -> list[str]:
    """Return the members of a group called ``stem_<number>``, by their numbers."""
    if not isinstance(group, h5py.Group):
        return []
    names = [name for name in group if isinstance(name, str)]
    found = [(re.fullmatch(rf"{stem}_(\d{{1,18}})", name), name) for name in names]
    return [name for _, name in sorted((int(m[1]), name) for m, name in found if m)]


def _unit_items(path: Path, file: Any, name: str, options: "_Options") -> list[Item]:
    """Return an item for each channel of a unit; one that says why it has none."""
    group = file[name]
    if not isinstance(group, h5py.Group):
        return []
    try:
        with reading(path, f"the unit {name}"):
            return _channel_items(
                _Unit(path, name, attributes_of(group)), group, options
            )
    except ReadError as error:
        info = RecordingInfo(
            name, name, (0, 0, 0), "uint16", "other", problem=str(error)
        )
        return [Item(info, _no_frames)]


def _channel_items(unit: "_Unit", group: Any, options: "_Options") -> list[Item]:
    """Return the items of the channels of a unit that is whole."""
    meta = unit.meta | {
        "curves": [
            text_of(group[curve].attrs.get("Name", curve))
            for curve in numbered(group, "Curve")
        ]
    }
    items = []
    for number, there in _channels(group).items():
        if not there:
            items.append(_absent(f"{unit.name}/Channel_{number}"))
            continue
        data = group[f"Channel_{number}"]
        items.append(unit.item(number, data, meta, options))
        items += unit.patches(number, data, meta, options)
    return items


def _channels(group: Any) -> dict[int, bool]:
    """Return the numbers of channels, and whether they are in the file.

    A unit without any (it may hold curves only) announces none.
    """
    present = [int(name.rpartition("_")[2]) for name in numbered(group, "Channel")]
    announced = number_of(group.attrs.get("VecChannelsSize", 0)) or 0
    found = dict.fromkeys(range(int(min(announced, MAX_CHANNELS))), False)
    return dict(sorted((found | dict.fromkeys(present, True)).items()))


def _absent(name: str) -> Item:
    problem = "the file announces it, but does not hold it"
    return Item(
        RecordingInfo(name, name, (0, 0, 0), "uint16", "other", problem=problem),
        _no_frames,
    )


def _no_frames() -> Frames:
    raise ReadError("there are no frames")


@dataclass(frozen=True)
class _Options:
    convert: bool
    flip: bool


@dataclass(frozen=True)
class _Unit:
    """A measurement unit: its attributes, and what they say of its channels."""

    path: Path
    name: str
    attributes: Mapping[str, Any]

    @property
    def meta(self) -> dict[str, Any]:
        """The raw attributes, and the facts that a recording's own do not name."""
        third = Axis(self.attributes, "Z")
        timed = third.rate is not None
        return {
            "mesc": plain(self.attributes),
            "session": self.name.partition("/")[0],
            "unit": self.name.partition("/")[2],
            "comment": text_of(self.attributes.get("Comment", "")),
            "frame_period_ms": third.scale if timed else None,
            "t0_ms": third.start_s * 1000 if timed else None,
            "scan_mode": attributes.scan_mode(self.attributes)[1] or None,
        }

    def item(
        self, number: int, data: Any, meta: Mapping[str, Any], options: "_Options"
    ) -> Item:
        """Return the item of one channel."""
        label = text_of(self.attributes.get(f"Channel_{number}_Name", "")).strip()
        linear = attributes.conversion(self.attributes, number)
        third = Axis(self.attributes, "Z")
        shape = self._shape(data.shape, third)
        use = linear if options.convert and linear not in (None, (1.0, 0.0)) else None
        dtype = np.dtype(data.dtype).newbyteorder("=")
        info = RecordingInfo(
            selection=f"{self.name}/{self._key(number, label)}",
            name=f"{self.path.stem} {self.name} {label}".strip(),
            shape=shape,
            dtype=str(converted_dtype(dtype, *use) if use else dtype),
            kind=self._kind(shape),
            frame_rate=self._rate(shape, third),
            pixel_size_um=attributes.pixel_size(self.attributes),
            z_step_um=third.step_um if third.is_depth else None,
            date=iso_date(attributes.measurement_date(self.attributes)),
            origin=self._origin(),
            channel=label or f"Channel_{number}",
            problem=_problem(data),
        )
        dataset = f"{self.name}/Channel_{number}"

        def frames() -> Frames:
            with reading(self.path, f"the data set {dataset}"):
                stored: Frames = DatasetFrames(self.path, dataset, shape)
            converted = ConvertedFrames(stored, *use) if use else stored
            return FlippedFrames(converted) if options.flip else converted

        return Item(
            info,
            frames,
            lambda: self._times(shape, third),
            {**meta, "intensity_conversion": linear},
            self._notes(linear if options.convert else (1.0, 0.0)),
        )

    def patches(
        self, number: int, data: Any, meta: Mapping[str, Any], options: "_Options"
    ) -> list[Item]:
        """Return an item for each patch or line of an acousto-optic scan."""
        page = self.item(number, data, meta, replace(options, flip=False))
        if page.info.problem:
            return []

        def frames(patch: Patch) -> Frames:
            part = PatchFrames(page.frames(), patch)
            return FlippedFrames(part) if options.flip else part

        return [
            Item(
                replace(
                    page.info,
                    selection=f"{page.info.selection}:patch-{i}",
                    name=f"{page.info.name} patch {i}",
                    shape=patch.shape,
                    kind=kind_of(patch.shape),
                ),
                partial(frames, patch),
                page.times,
                page.meta,
            )
            for i, patch in enumerate(patches_of(self.attributes, data.shape))
        ]

    def _key(self, number: int, label: str) -> str:
        """Return what names a channel in its unit: its name, if no other has it."""
        names = [
            text_of(value).strip()
            for key, value in self.attributes.items()
            if re.fullmatch(r"Channel_\d+_Name", key)
        ]
        single = names.count(label) == 1 and label and "/" not in label
        return label if single else f"Channel_{number}"

    def _shape(self, stored: tuple[int, ...], third: Axis) -> tuple[int, ...]:
        """Return the shape of the recording: planes are an axis of their own."""
        if len(stored) == 2:
            return (1, *stored)
        if len(stored) != 3:
            return (0, 0, 0)
        n_slices = int(number_of(self.attributes.get("Slices", 0)) or 0)
        if attributes.scan_mode(self.attributes)[0] == _MULTICUBE and n_slices > 1:
            n_volumes = stored[0] // n_slices
            return (n_volumes, n_slices, *stored[1:]) if n_volumes else stored
        return (1, *stored) if third.is_depth and stored[0] > 1 else stored

    def _kind(self, shape: tuple[int, ...]) -> str:
        page = attributes.scan_mode(self.attributes)[0] in _PAGE_MODES
        return "other" if page or 0 in shape else kind_of(shape)

    def _rate(self, shape: tuple[int, ...], third: Axis) -> float | None:
        step = number_of(self.attributes.get("TStepInMs", 0))
        if step and step > 0 and shape[0] > 1:
            return 1000 / step
        return third.rate

    def _times(self, shape: tuple[int, ...], third: Axis) -> NDArray[np.float64] | None:
        """Return frame times where the first is not 0 s."""
        rate = self._rate(shape, third) if third.rate else None
        return even_times(shape[0], rate, third.start_s)

    def _origin(self) -> str:
        version = text_of(self.attributes.get("CreatingMEScVersion", "")).strip()
        revision = number_of(self.attributes.get("CreatingMEScRevision", 0))
        parts = ["Femtonics", version or "MESc", f"({revision:g})" if revision else ""]
        return " ".join(part for part in parts if part)

    def _notes(self, linear: tuple[float, float] | None) -> tuple[str, ...]:
        notes = []
        if linear is None:
            notes.append(
                "the file says nothing about the conversion of intensities; the values "
                "are as stored (old MESc versions store them inverted)."
            )
        mode, title = attributes.scan_mode(self.attributes)
        if mode in _PAGE_MODES:
            notes.append(
                f"{self.name} is an acousto-optic {title}: its patches or lines are "
                "shown side by side, as stored; list_recordings names single ones."
            )
        return tuple(notes)


def _problem(data: Any) -> str:
    """Return why a channel can not be read; empty if it can."""
    if not isinstance(data, h5py.Dataset):
        return "it is a group, expected a data set"
    if data.dtype.kind not in "buif":
        return f"its values have type {data.dtype}, expected integers or real numbers"
    if data.ndim not in (2, 3) or 0 in data.shape:
        return f"it has shape {data.shape}, expected (frames, height, width)"
    return ""
