"""Sample recordings kept on disk, so that each is simulated once."""

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from napari_mesmerize import __version__
from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.recording import FACTS, lazy_recording
from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.simulation.simulate import (
    PRESETS,
    SAMPLES,
    Simulation,
    Truth,
    sample_recording,
)

_log = logging.getLogger(__name__)
_FRAMES, _TRUTH, _FACTS = "frames.npy", "truth.npz", "facts.json"


def cache_folder() -> Path:
    """Return where samples are kept: in the user's cache, which may be emptied."""
    return platformdirs.user_cache_path("napari-mesmerize", appauthor=False) / "samples"


def sample_shape(sample: str) -> tuple[int, ...]:
    """Return (n_frames, [n_planes,] height, width) of a sample."""
    options = SAMPLES[sample]
    return tuple(options.get("shape") or PRESETS[options["preset"]]["shape"])


def load_sample(sample: str) -> Simulation | None:
    """Return a sample that was simulated before, its frames mapped from the disk."""
    folder = _folder(sample)
    try:
        facts = json.loads((folder / _FACTS).read_text("utf-8"))
        truth = Truth.load(folder / _TRUTH)
        frames = np.load(folder / _FRAMES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, MesmerizeError):
        return None
    if frames.shape != sample_shape(sample) or frames.dtype != np.uint16:
        return None
    return Simulation(lazy_recording(frames, **facts), truth)


def make_sample(sample: str) -> Simulation:
    """Simulate a sample and keep it; without a place for it, only simulate it."""
    made = sample_recording(sample)
    try:
        _store(sample, made)
    except OSError:
        _log.info("the sample '%s' can not be kept on disk", sample, exc_info=True)
    return made


def _store(sample: str, made: Simulation) -> None:
    """Write a sample to a folder of its own, whole or not at all."""
    folder = _folder(sample)
    folder.parent.mkdir(parents=True, exist_ok=True)
    attrs: dict[str, Any] = {fact: made.recording.attrs.get(fact) for fact in FACTS}
    with written_whole(folder, overwrite=True, sync=False) as parts:
        parts.mkdir()
        np.save(parts / _FRAMES, made.recording.to_numpy())
        made.truth.save(parts / _TRUTH)
        text = json.dumps(attrs | {"name": made.recording.name})
        (parts / _FACTS).write_text(text, "utf-8")
    for old in folder.parent.glob(f"{_stem(sample)}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)


def _folder(sample: str) -> Path:
    """Return the folder of a sample as this version simulates it."""
    options = SAMPLES[sample]
    known = [__version__, options, PRESETS[options["preset"]]]
    text = json.dumps(known, sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return cache_folder() / f"{_stem(sample)}-{key}"


def _stem(sample: str) -> str:
    return sample.replace(",", "").replace(" ", "-")
