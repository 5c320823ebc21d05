"""Runs of peers in environments of their own, which the benchmarks share.

A peer is named by the interpreter of the environment that it is installed in; movies
and results travel as files, and its worker imports nothing of ours.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def add_peers(
    parser: argparse.ArgumentParser, names: tuple[str, ...], *, required: bool = True
) -> None:
    """Add the option ``--peer NAME=PYTHON``, once for each peer."""

    def peer(text: str) -> tuple[str, str]:
        name, _, python = text.partition("=")
        if name not in names or not python:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not NAME=PYTHON with a name of {', '.join(names)}"
            )
        return name, python

    parser.add_argument(
        "--peer",
        action="append",
        type=peer,
        required=required,
        default=None if required else [],
        metavar="NAME=PYTHON",
        help=f"{', '.join(names)} and its interpreter; may be given more than once",
    )


def run_worker(
    worker: Path, python: str, movie: np.ndarray, arguments: list[str]
) -> dict[str, np.ndarray]:
    """Let a peer's worker treat a movie; returns what it wrote, cost included.

    The worker gets a folder with ``movie.npy`` as its last argument and leaves
    ``result.npz`` and ``cost.json`` there. It has one thread.
    """
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/movie.npy", movie)
        environment = os.environ | dict.fromkeys(THREADS, "1")
        environment |= {"CAIMAN_DATA": folder, "HOME": folder}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [python, str(worker), *arguments, folder],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(
                f"{worker.name} {arguments} failed:\n{done.stderr[-3000:]}"
            )
        with np.load(f"{folder}/result.npz") as arrays:
            found = {name: arrays[name] for name in arrays.files}
        return found | json.loads(Path(folder, "cost.json").read_text())
