"""Runs in a peer's environment: corrects movie.npy, writes result.npz and cost.json.

    python motion_peer_worker.py caiman|suite2p|jnormcorre rigid|piecewise 2p|1p FOLDER

Shifts and fields are written as pixels to add. Imports nothing of napari-mesmerize.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np

STRIDE = OVERLAP = 24  # px; of the sizes tried, the best for the small movies


def cpu_seconds():
    """User and system time of this process and its finished children."""
    total = 0.0
    import resource  # Windows has none

    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def caiman(movie, engine, kind, folder):
    """CaImAn's NoRMCorre; one-photon movies filtered as in its demonstration."""
    import tifffile
    from caiman.motion_correction import MotionCorrect

    path = str(folder / "movie.tif")
    tifffile.imwrite(path, movie.astype(np.float32))
    correction = MotionCorrect(
        path,
        dview=None,
        max_shifts=(12, 12),
        niter_rig=2,
        pw_rigid=engine == "piecewise",
        strides=(STRIDE, STRIDE),
        overlaps=(OVERLAP, OVERLAP),
        max_deviation_rigid=4,
        border_nan="copy",
        gSig_filt=(3, 3) if kind == "1p" else None,
    )
    correction.motion_correct(save_movie=True)
    if engine == "rigid":
        return {"shifts": np.array(correction.shifts_rig)}
    # its "x" is the first axis, and its field is the grid stretched over the image
    found = (correction.x_shifts_els, correction.y_shifts_els)
    return _stretched(*(np.array(each) for each in found), movie.shape[1:])


def _stretched(y, x, shape, step=8):
    """Shifts of a grid of patches as the field that CaImAn applies, every 8 px."""
    import cv2

    sides = [len(range(0, n - STRIDE - OVERLAP, STRIDE)) + 1 for n in shape]
    field = [
        [
            cv2.resize(frame.reshape(sides).astype(np.float32), shape[::-1])[
                ::step, ::step
            ]
            for frame in axis
        ]
        for axis in (y, x)
    ]
    places = {
        f"field_{a}": np.arange(0, n, step) for a, n in zip("yx", shape, strict=True)
    }
    return {"field": np.stack(field, axis=-1), **places}


def suite2p(movie, engine, kind, folder):
    """Suite2p's registration, blocks of 48 px where piecewise."""
    import torch
    from suite2p import default_settings
    from suite2p.registration import nonrigid, register

    block = (STRIDE + OVERLAP, STRIDE + OVERLAP)
    settings = {
        **default_settings()["registration"],
        "nonrigid": engine == "piecewise",
        "block_size": block,
    }
    found = register.registration_wrapper(
        movie.astype(np.int16), settings=settings, device=torch.device("cpu")
    )
    shifts = -np.stack([found["yoff"], found["xoff"]], axis=1).astype(float)
    if engine == "rigid":
        return {"shifts": shifts}
    blocks = nonrigid.make_blocks(*movie.shape[1:], block_size=block)
    n_y, n_x = blocks[2]
    field = np.stack([found["yoff1"], found["xoff1"]], axis=-1)
    field = shifts[:, None, None] - field.reshape(len(movie), n_y, n_x, 2)
    y, x = (np.unique([int(np.mean(edges)) for edges in blocks[k]]) for k in (0, 1))
    return {"field": field, "field_y": y, "field_x": x}


def jnormcorre(movie, engine, kind, folder):
    """jnormcorre on the processor."""
    from jnormcorre import motion_correction

    correction = motion_correction.MotionCorrect(
        movie.astype(np.float32),
        max_shifts=(12, 12),
        niter_rig=2,
        pw_rigid=engine == "piecewise",
        strides=(STRIDE, STRIDE),
        overlaps=(OVERLAP, OVERLAP),
        max_deviation_rigid=4,
    )
    corrector, _ = correction.motion_correct(template=None, save_movie=False)
    corrector.register_frames(movie.astype(np.float32), engine == "piecewise")
    if engine == "rigid":
        return {"shifts": np.array(correction.shifts_rig)}
    return {}  # it does not tell its field in a form that could be scored


def main():
    """Correct a few frames, then all, and write what was found."""
    (peer, engine, kind), folder = sys.argv[1:4], Path(sys.argv[4])
    correct = {"caiman": caiman, "suite2p": suite2p, "jnormcorre": jnormcorre}[peer]
    movie = np.load(folder / "movie.npy")
    correct(movie[:100], engine, kind, folder)
    start = cpu_seconds()
    found = correct(movie, engine, kind, folder)
    cost = {"cpu_s": cpu_seconds() - start}
    cost["version"] = importlib.metadata.version(peer)
    np.savez(folder / "result.npz", **found)
    (folder / "cost.json").write_text(json.dumps(cost))


if __name__ == "__main__":
    main()
