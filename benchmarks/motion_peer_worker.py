"""Runs in a peer's environment: corrects movie.npy, writes result.npz and cost.json.

    python motion_peer_worker.py caiman|suite2p|jnormcorre rigid|piecewise FOLDER

Shifts and fields are written as pixels to add. Imports nothing of napari-mesmerize.
"""

import json
import resource
import sys
from pathlib import Path

import numpy as np


def cpu_seconds():
    """User and system time of this process and its finished children."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def caiman(movie, engine, folder):
    """CaImAn's NoRMCorre with its usual patches."""
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
        strides=(32, 32),
        overlaps=(16, 16),
        max_deviation_rigid=4,
        border_nan="copy",
    )
    correction.motion_correct(save_movie=True)
    if engine == "rigid":
        return {"shifts": np.array(correction.shifts_rig)}
    y, x = (
        np.array(each) for each in (correction.y_shifts_els, correction.x_shifts_els)
    )
    return _on_grid(y, x, movie.shape[1])


def suite2p(movie, engine, folder):
    """Suite2p's registration, blocks of 48 px where piecewise."""
    from suite2p import default_ops
    from suite2p.registration import register

    nonrigid = engine == "piecewise"
    ops = default_ops() | {
        "Ly": movie.shape[1],
        "Lx": movie.shape[2],
        "nonrigid": nonrigid,
        "block_size": [48, 48],
        "do_bidiphase": False,
    }
    frames = movie.astype(np.int16)
    found = register.registration_wrapper(frames, f_raw=None, ops=ops)
    y, x = (
        (np.asarray(found[k], float) for k in (4, 5))
        if len(found) > 9
        else (
            np.asarray(found.yoff, float),
            np.asarray(found.xoff, float),
        )
    )
    shifts = -np.stack([y, x], axis=1)
    if not nonrigid:
        return {"shifts": shifts}
    y1, x1 = (np.asarray(found[k], float) for k in (7, 8))
    blocks = register.nonrigid.make_blocks(*movie.shape[1:], block_size=(48, 48))
    n_y, n_x = blocks[2]
    field = -np.stack([y1, x1], axis=-1).reshape(len(movie), n_y, n_x, 2)
    field += shifts[:, None, None]
    centres = [np.unique([np.mean(block) for block in blocks[k]]) for k in (0, 1)]
    return {"field": field, "field_y": centres[0], "field_x": centres[1]}


def jnormcorre(movie, engine, folder):
    """jnormcorre on the processor."""
    from jnormcorre import motion_correction

    correction = motion_correction.MotionCorrect(
        movie.astype(np.float32),
        max_shifts=(12, 12),
        niter_rig=2,
        pw_rigid=engine == "piecewise",
        strides=(32, 32),
        overlaps=(16, 16),
        max_deviation_rigid=4,
    )
    corrector, _ = correction.motion_correct(template=None, save_movie=False)
    corrector.register_frames(movie.astype(np.float32), engine == "piecewise")
    if engine == "rigid":
        return {"shifts": np.array(correction.shifts_rig)}
    return {}  # it does not tell its field in a form that could be scored


def _on_grid(y, x, side):
    """Shifts of patches of 48 px, (n, patches), as a field on a square grid."""
    n = round(np.sqrt(y.reshape(len(y), -1).shape[1]))
    field = np.stack([y.reshape(-1, n, n), x.reshape(-1, n, n)], axis=-1)
    centres = np.linspace(0, max(side - 48, 0), n) + 24
    return {"field": field, "field_y": centres, "field_x": centres}


def main():
    """Correct a few frames, then all, and write what was found."""
    peer, engine, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    correct = {"caiman": caiman, "suite2p": suite2p, "jnormcorre": jnormcorre}[peer]
    movie = np.load(folder / "movie.npy")
    correct(movie[:100], engine, folder)
    start = cpu_seconds()
    found = correct(movie, engine, folder)
    cost = cpu_seconds() - start
    np.savez(folder / "result.npz", **found)
    (folder / "cost.json").write_text(json.dumps({"cpu_s": cost}))


if __name__ == "__main__":
    main()
