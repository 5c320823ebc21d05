"""Ours beside an installed peer (Suite2p or CaImAn) on the same simulated recording.

    python benchmarks/bench_extraction_peer.py --python PEER/bin/python --peer suite2p

The peer runs in its own Python environment, named by its interpreter; recording and
result travel as files.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse

import bench_extraction as ours
from napari_mesmerize.scores import score_components
from napari_mesmerize.simulate import simulate

SUITE2P = """
import json, resource, sys
import numpy as np
import suite2p
folder, rate, decay, diameter = sys.argv[1], *map(float, sys.argv[2:5])
movie = np.load(folder + "/movie.npy", mmap_mode="r")
n_frames, height, width = movie.shape
movie.astype(np.int16).tofile(folder + "/data.bin")
ops = {**suite2p.default_ops(), "fs": rate, "tau": decay, "Ly": height, "Lx": width,
       "nframes": n_frames, "diameter": int(diameter), "do_registration": 0,
       "reg_file": folder + "/data.bin", "save_path": folder}
with suite2p.io.BinaryFile(height, width, folder + "/data.bin") as data:
    out = suite2p.pipeline(data, ops=ops, run_registration=False)
ops, stat, traces, neuropil, _, _, spikes, accepted = out[:8]
np.savez(folder + "/peer.npz",
         pixels=np.concatenate([s["ypix"] * width + s["xpix"] for s in stat]),
         weights=np.concatenate([s["lam"] for s in stat]),
         sizes=[len(s["ypix"]) for s in stat], traces=traces - 0.7 * neuropil,
         spikes=spikes, accepted=np.asarray(accepted)[:, 0].astype(bool))
u = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu_s": u.ru_utime + u.ru_stime}))
"""

CAIMAN = """
import json, resource, sys
import numpy as np
from caiman.source_extraction.cnmf import CNMF
from caiman.source_extraction.cnmf.params import CNMFParams
folder, rate, decay, diameter = sys.argv[1], *map(float, sys.argv[2:5])
movie = np.load(folder + "/movie.npy").astype(np.float32)
half = int(round(diameter / 2))
params = CNMFParams(params_dict={"fr": rate, "decay_time": decay, "p": 1, "nb": 2,
                                 "rf": None, "K": 80, "gSig": [half, half],
                                 "merge_thr": 0.85, "only_init": False})
found = CNMF(1, params=params).fit(movie)
e = found.estimates
e.evaluate_components(movie, found.params)
shape = movie.shape[1:]
A = e.A.tocsc()
pixels = np.ravel_multi_index(np.unravel_index(A.indices, shape, order="F"), shape)
accepted = np.zeros(A.shape[1], bool)
accepted[e.idx_components] = True
np.savez(folder + "/peer.npz", pixels=pixels, weights=A.data, sizes=np.diff(A.indptr),
         traces=e.C, spikes=e.S, accepted=accepted)
u = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu_s": u.ru_utime + u.ru_stime}))
"""


def run_peer(python: str, script: str, recording, truth) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "movie.npy", recording.to_numpy())
        numbers = (
            truth.frame_rate,
            truth.params["tau_decay"],
            2 * truth.params["radius"],
        )
        done = subprocess.run(
            [python, "-c", script, folder, *map(str, numbers)],
            capture_output=True,
            text=True,
            check=True,
        )
        with np.load(Path(folder) / "peer.npz") as found:
            starts = np.concatenate([[0], np.cumsum(found["sizes"])])
            n_pixels = int(np.prod(truth.image_shape))
            footprints = sparse.csc_array(
                (found["weights"], found["pixels"], starts),
                shape=(n_pixels, len(found["sizes"])),
            )
            keep = np.flatnonzero(found["accepted"])
            scores = score_components(
                truth,
                footprints[:, keep],
                found["traces"][keep],
                found["spikes"][keep],
            )
    return {**scores, **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--python", required=True, help="the peer's interpreter")
    parser.add_argument("--peer", choices=("suite2p", "caiman"), default="suite2p")
    parser.add_argument("--preset", default="2p-small")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 7])
    args = parser.parse_args()
    script = SUITE2P if args.peer == "suite2p" else CAIMAN
    ours.warm_up()
    for seed in args.seeds:
        recording, truth = simulate(args.preset, seed=seed)
        rows = {
            "ours": ours.measure(args.preset, seed),
            args.peer: run_peer(args.python, script, recording, truth),
        }
        for name, m in rows.items():
            print(
                f"{args.preset} {seed} {name:<8} F1 {m['f1']:.3f} "
                f"trace {m['trace_corr']:.3f} spikes {m['spike_corr']:.3f} "
                f"CPU {m['cpu_s']:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
