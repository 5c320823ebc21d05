"""The extraction beside peers (Suite2p, CaImAn) on the same simulated recordings.

    python benchmarks/bench_extraction_peer.py --peer caiman=PYTHON \\
        --peer suite2p=PYTHON

``PYTHON`` is the interpreter of the environment that a peer is installed in; recording
and result travel as files. All get the cell's diameter and the indicator's decay, are
scored in the same way, and run in one thread. CaImAn runs CNMF in patches with a second
fit, on one-photon recordings CNMF-E; Suite2p, made for two photons, its defaults. CPU
seconds leave out imports and, of ours, compilation.
"""

import argparse
import os
from pathlib import Path

from peer_runs import THREADS, add_peers, run_worker

os.environ |= dict.fromkeys(THREADS, "1")

import numpy as np
from scipy import sparse

import bench_extraction as ours
from napari_mesmerize.simulation.scores import score_components
from napari_mesmerize.simulation.simulate import simulate

WORKER = Path(__file__).with_name("extraction_peer_worker.py")
COLUMNS = ("preset", "seed", "program", "F1", "F1 all", "trace r", "spikes r")


def run_peer(peer: str, python: str, recording, truth) -> dict:
    """Return a peer's scores and cost."""
    known = truth.frame_rate, truth.params["tau_decay"], 2 * truth.params["radius"]
    arguments = [peer, *map(str, known), truth.params["kind"]]
    found = run_worker(WORKER, python, recording.to_numpy(), arguments)
    starts = np.concatenate([[0], np.cumsum(found["sizes"])])
    footprints = sparse.csc_array(
        (found["weights"], found["pixels"], starts),
        shape=(int(np.prod(truth.image_shape)), len(found["sizes"])),
    )
    keep = np.flatnonzero(found["accepted"])
    traces, spikes = found["traces"], found["spikes"]
    accepted = score_components(truth, footprints[:, keep], traces[keep], spikes[keep])
    every = score_components(truth, footprints, traces, spikes)
    return {**accepted, "f1_all": every["f1"], **found}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add_peers(parser, ("caiman", "suite2p"))
    parser.add_argument("--presets", nargs="+", default=["2p-small", "1p-small"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 7])
    args = parser.parse_args()
    ours.warm_up()
    print(f"| {' | '.join(COLUMNS)} | CPU s | floors |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for preset in args.presets:
        for seed in args.seeds:
            recording, truth = simulate(preset, seed=seed)
            rows = {"napari-mesmerize": ours.measure(preset, seed)}
            for peer, python in args.peer:
                found = run_peer(peer, python, recording, truth)
                rows[f"{peer} {found['version']}"] = found
            floor = ours.floor_seconds(recording)
            for name, m in rows.items():
                print(
                    f"| {preset} | {seed} | {name} | {m['f1']:.3f} | "
                    f"{m['f1_all']:.3f} | {m['trace_corr']:.3f} | "
                    f"{m['spike_corr']:.3f} | {m['cpu_s']:.1f} | "
                    f"{m['cpu_s'] / floor:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
