"""Other programs, asked in environments of their own.

Skipped unless ``MESMERIZE_PEERS`` says where they are, for example
``MESMERIZE_PEERS="isx=/env1/bin/python caiman=/env2/bin/python"``.
"""

import json
import os
import subprocess

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if "interop" in str(item.path):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def ask(tmp_path):
    """Run a program in a peer's interpreter; return the JSON that it prints last."""
    known = dict(
        pair.split("=", 1) for pair in os.environ.get("MESMERIZE_PEERS", "").split()
    )

    def ask(peer, program, *arguments):
        if peer not in known:
            pytest.skip(f"MESMERIZE_PEERS does not say where {peer} is")
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        environment = os.environ | {
            "HOME": str(home),
            "CAIMAN_DATA": str(home),
            "QT_QPA_PLATFORM": "offscreen",
            "MPLBACKEND": "Agg",
            "OMP_NUM_THREADS": "1",
        }
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [known[peer], "-W", "ignore", "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=home,
            env=environment,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return ask
