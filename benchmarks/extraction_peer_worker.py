"""Runs in a peer's environment: extracts cells of movie.npy, writes what was found.

    python extraction_peer_worker.py caiman|suite2p RATE DECAY DIAMETER 2p|1p FOLDER

Footprints are written with pixels in C order. Imports nothing of napari-mesmerize.
"""

import importlib
import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np


def cpu_seconds():
    """User and system time of this process."""
    import resource  # Windows has none

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def suite2p(movie, rate, decay, diameter, kind, folder):
    """Suite2p with its defaults; neuropil subtracted as it advises."""
    import torch
    from suite2p import default_settings, pipeline

    settings = default_settings() | {
        "fs": rate,
        "tau": decay,
        "diameter": [diameter, diameter],
    }
    found = pipeline(
        str(folder),
        movie.astype(np.int16),
        run_registration=False,
        settings=settings,
        device=torch.device("cpu"),
    )
    stat, traces, neuropil, spikes, is_cell = (found[k] for k in (2, 3, 4, 7, 8))
    factor = settings["extraction"]["neuropil_coefficient"]
    width = movie.shape[2]
    return {
        "pixels": np.concatenate([s["ypix"] * width + s["xpix"] for s in stat]),
        "weights": np.concatenate([s["lam"] for s in stat]),
        "sizes": [len(s["ypix"]) for s in stat],
        "traces": traces - factor * neuropil,
        "spikes": spikes,
        "accepted": np.asarray(is_cell)[:, 0] > 0.5,
    }


def caiman(movie, rate, decay, diameter, kind, folder):
    """CaImAn in patches: CNMF with a second fit, or CNMF-E for one photon."""
    import caiman as cm
    import tifffile
    from caiman.source_extraction.cnmf import CNMF
    from caiman.source_extraction.cnmf.params import CNMFParams

    tifffile.imwrite(folder / "movie.tif", movie.astype(np.float32))
    name = cm.save_memmap([str(folder / "movie.tif")], base_name="m", order="C")
    pixels, shape, n_frames = cm.load_memmap(name)
    images = np.reshape(pixels.T, [n_frames, *shape], order="F")
    half = round(0.4 * diameter)
    values = {"fr": rate, "decay_time": decay, "p": 1, "merge_thr": 0.85}
    values |= {"gSig": (half, half), "use_cnn": False, "rval_thr": 0.85}
    values |= CNMFE | {"gSiz": (4 * half + 1,) * 2} if kind == "1p" else CNMF_2P
    fitted = CNMF(1, params=CNMFParams(params_dict=values))
    fitted.fit(images)
    if kind == "2p":
        fitted = fitted.refit(images)
    result = fitted.estimates
    result.evaluate_components(images, fitted.params)
    matrix = result.A.tocsc()
    places = np.unravel_index(matrix.indices, shape, order="F")
    accepted = np.zeros(matrix.shape[1], bool)
    accepted[result.idx_components] = True
    return {
        "pixels": np.ravel_multi_index(places, shape),
        "weights": matrix.data,
        "sizes": np.diff(matrix.indptr),
        "traces": result.C,
        "spikes": result.S,
        "accepted": accepted,
    }


CNMF_2P = {"rf": 15, "stride": 10, "K": 4, "nb": 2, "min_SNR": 2}
CNMFE = {
    "method_init": "corr_pnr",
    "center_psf": True,
    "K": None,
    "nb": 0,
    "nb_patch": 0,
    "low_rank_background": None,
    "update_background_components": True,
    "only_init": True,
    "normalize_init": False,
    "min_corr": 0.8,
    "min_pnr": 6,
    "ring_size_factor": 1.4,
    "rf": 40,
    "stride": 20,
    "ssub_B": 2,
    "tsub": 2,
    "min_SNR": 2.5,
}


IMPORTED = {"caiman": "caiman.source_extraction.cnmf", "suite2p": "suite2p"}


def main():
    """Extract, and write what was found."""
    peer, kind, folder = sys.argv[1], sys.argv[5], Path(sys.argv[6])
    rate, decay, diameter = map(float, sys.argv[2:5])
    extract = {"caiman": caiman, "suite2p": suite2p}[peer]
    movie = np.load(folder / "movie.npy")
    importlib.import_module(IMPORTED[peer])
    start = cpu_seconds()
    found = extract(movie, rate, decay, diameter, kind, folder)
    cost = {"cpu_s": cpu_seconds() - start}
    cost["version"] = importlib.metadata.version(peer)
    np.savez(folder / "result.npz", **found)
    (folder / "cost.json").write_text(json.dumps(cost))


if __name__ == "__main__":
    main()
