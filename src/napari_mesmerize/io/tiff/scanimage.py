"""What ScanImage writes into its TIFFs: channels, volumes, rates, time stamps."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mesmerize.io.items import iso_date, positive
from napari_mesmerize.io.tiff.dialects import Layout
from napari_mesmerize.io.tiff.page_chain import Chain
from napari_mesmerize.io.times import rate_of_times

DESCRIPTION = 270
MAX_TIMES = 50_000
_DESCRIPTION_BYTES = 512
_TIME = re.compile(rb"frameTimestamps_sec\s*=\s*([-+.\deE]+)")
_EPOCH = re.compile(
    r"epoch\s*=\s*\[(\d+)[ ,]+(\d+)[ ,]+(\d+)[ ,]+(\d+)[ ,]+(\d+)[ ,]+([\d.]+)\]"
)


def scanimage(tif: tifffile.TiffFile, chain: Chain) -> Layout | None:
    """Return the layout of a file that ScanImage wrote."""
    page = tif.pages.first
    description = page.description if isinstance(page, tifffile.TiffPage) else ""
    everything = tif.scanimage_metadata or {}
    facts = everything.get("FrameData") or {}
    if facts:
        return _modern(facts, everything.get("RoiGroups") or {}, description, chain)
    if "state.acq." in description:
        return _version3(description, chain)
    return None


def _modern(
    facts: Mapping[str, Any], regions: Mapping[str, Any], description: str, chain: Chain
) -> Layout:
    channels = _numbers(facts.get("SI.hChannels.channelSave"))
    n_channels = max(1, len(channels))
    names = facts.get("SI.hChannels.channelName") or []
    names = [names] if isinstance(names, str) else list(names)
    labels = tuple(
        str(names[c - 1]) if 0 < c <= len(names) else f"Channel {c}" for c in channels
    )
    n_planes, n_stored, per_slice, slow = _planes(facts)
    n_frames = len(chain) // n_channels
    per_volume = n_stored * per_slice
    n_volumes = n_frames // per_volume
    notes = []
    if n_volumes == 0:
        n_planes, n_stored, per_slice, n_volumes = 1, 1, 1, n_frames
        per_volume = 1
    if len(chain) != n_volumes * per_volume * n_channels:
        left = len(chain) - n_volumes * per_volume * n_channels
        notes.append(
            f"The last {left} pages make no whole volume of {n_stored} planes x "
            f"{n_channels} channels and are left out; axes=... opens them."
        )
    pages = np.arange(n_volumes * per_volume * n_channels, dtype=np.intp)
    order = pages.reshape(n_volumes, n_stored, per_slice, n_channels)[:, :n_planes]
    # frames of one slice follow each other: they are further points in time
    order = order.transpose(0, 2, 1, 3).reshape(-1, n_planes, n_channels)
    if n_stored > n_planes:
        notes.append(
            f"{n_stored - n_planes} fly-back frames per volume are stored and left out."
        )
    if facts.get("SI.hRoiManager.mroiEnable") in (True, 1):
        notes.append("Several scan regions are stacked vertically in each frame.")
    times = _times(chain, order[:, 0, 0])
    rate = positive(facts.get("SI.hRoiManager.scanFrameRate"))
    if n_planes > 1 and not slow:
        rate = positive(facts.get("SI.hRoiManager.scanVolumeRate")) or (
            rate / n_stored if rate else None
        )
    average = positive(facts.get("SI.hScan2D.logAverageFactor"))
    if rate and average and average > 1 and rate_of_times(times) is None:
        rate /= average
    return Layout(
        "TZC",
        order.shape,
        0,
        order,
        frame_rate=rate_of_times(times) if average and average > 1 else rate,
        pixel_size_um=_pixel_size(facts, regions),
        z_step_um=_z_step(facts) if n_planes > 1 else None,
        date=_epoch(description),
        origin="ScanImage",
        channels=labels,
        times=times,
        meta={"scanimage": dict(facts)},
        notes=tuple(notes),
    )


def _planes(facts: Mapping[str, Any]) -> tuple[int, int, int, bool]:
    """Return planes, planes stored (with fly-back), frames a slice, slow stack."""
    stack = facts.get("SI.hStackManager.enable") in (True, 1)
    fast = facts.get("SI.hFastZ.enable") in (True, 1)
    fast = fast or (stack and facts.get("SI.hStackManager.stackMode") == "fast")
    if not fast and not stack:
        return 1, 1, 1, False
    n_planes = _whole(
        facts.get("SI.hStackManager.actualNumSlices")
        or facts.get("SI.hStackManager.numSlices")
        or facts.get("SI.hFastZ.numFramesPerVolume")
    )
    averaged = _whole(facts.get("SI.hScan2D.logAverageFactor"))
    per_slice = _whole(facts.get("SI.hStackManager.framesPerSlice")) // averaged
    stored = n_planes
    if fast and facts.get("SI.hFastZ.discardFlybackFrames") not in (True, 1):
        stored = max(
            n_planes,
            _whole(facts.get("SI.hFastZ.numFramesPerVolumeWithFlyback")),
            _whole(facts.get("SI.hStackManager.numFramesPerVolumeWithFlyback")),
        )
    return n_planes, stored, 1 if fast else max(1, per_slice), not fast


def _pixel_size(
    facts: Mapping[str, Any], regions: Mapping[str, Any]
) -> tuple[float, float] | None:
    """Return (y, x) micrometres, if there is one scan region of known size."""
    scale = positive(facts.get("SI.objectiveResolution"))  # micrometres a degree
    group = regions.get("imagingRoiGroup")
    rois = _several(group.get("rois") if isinstance(group, Mapping) else None)
    fields = _several(rois[0].get("scanfields")) if len(rois) == 1 else []
    if not fields or not scale:
        return None
    degrees, pixels = (
        _positives(fields[0].get(key)) for key in ("sizeXY", "pixelResolutionXY")
    )
    if degrees is None or pixels is None:
        return None
    x, y = (size / number for size, number in zip(degrees, pixels, strict=True))
    return y * scale, x * scale


def _several(value: Any) -> list[Mapping[str, Any]]:
    """Return the tables in a list; one that stands alone as a list of it."""
    tables = value if isinstance(value, list) else [value]
    whole = all(isinstance(table, Mapping) for table in tables)
    return tables if whole else []


def _positives(value: Any) -> tuple[float, float] | None:
    """Return two numbers above 0; None if these are none."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    x, y = (positive(number) for number in value)
    return (x, y) if x and y else None


def _z_step(facts: Mapping[str, Any]) -> float | None:
    step = facts.get("SI.hStackManager.actualStackZStepSize")
    step = step or facts.get("SI.hStackManager.stackZStepSize")
    return positive(abs(step)) if isinstance(step, int | float) else None


def _times(chain: Chain, pages: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """Return the time stamps of some pages; None where they are missing or too many.

    Descriptions lie at the same distance from the headers of their pages; that is
    checked on a sample.
    """
    if len(pages) > MAX_TIMES or len(pages) < 2:
        return None
    sample = pages[np.unique(np.linspace(0, len(pages) - 1, 32).astype(int))]
    distances = {_description(chain, int(p)) - int(chain.offsets[p]) for p in sample}
    same = distances.pop() if len(distances) == 1 else None
    times = np.empty(len(pages))
    with chain.path.open("rb", buffering=0) as stream:
        for i, page in enumerate(pages):
            offset = int(chain.offsets[page])
            place = _description(chain, int(page)) if same is None else offset + same
            stream.seek(max(0, place))
            found = _TIME.search(stream.read(_DESCRIPTION_BYTES))
            if found is None:
                return None
            try:
                times[i] = float(found.group(1))
            except ValueError:
                return None
    return times if (np.diff(times) > 0).all() else None


def _description(chain: Chain, page: int) -> int:
    """Return where the description of a page is; 0 if it has none."""
    tag = chain.tags(page).get(DESCRIPTION)
    return tag[2] if tag else 0


def _version3(description: str, chain: Chain) -> Layout:
    """Return the layout of a file by ScanImage 3."""
    facts = {
        key.strip(): value.strip().strip("'")
        for key, _, value in (line.partition("=") for line in description.splitlines())
        if key.startswith("state.")
    }
    n_channels = _whole(facts.get("state.acq.numberOfChannelsSave"))
    n_planes = _whole(facts.get("state.acq.numberOfZSlices"))
    n_frames = len(chain) // (n_channels * n_planes)
    if n_frames == 0:
        n_channels, n_planes, n_frames = 1, 1, len(chain)
    return Layout(
        "ZTC",
        (n_planes, n_frames, n_channels),
        frame_rate=positive(facts.get("state.acq.frameRate")),
        z_step_um=positive(facts.get("state.acq.zStepSize")) if n_planes > 1 else None,
        origin="ScanImage 3",
        meta={"scanimage": facts},
    )


def _epoch(description: str) -> str | None:
    found = _EPOCH.search(description)
    if found is None:
        return None
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    return iso_date(
        f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:"
        f"{float(found.group(6)):06.3f}"
    )


def _numbers(value: Any) -> list[int]:
    if isinstance(value, int | float):
        return [int(value)]
    if isinstance(value, list | tuple):
        return [number for item in value for number in _numbers(item)]
    return []


def _whole(value: Any) -> int:
    number = positive(value)
    return max(1, int(number)) if number is not None and number < 1e9 else 1
