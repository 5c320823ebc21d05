"""The examples of the documentation run; each ends in asserts about its result."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import tifffile

from napari_mesmerize import simulate

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def python_blocks(page):
    """Return the pieces of Python that a page shows; not those of a console."""
    blocks = [
        textwrap.dedent(code) for _, code in BLOCK.findall(page.read_text("utf-8"))
    ]
    return [code for code in blocks if not code.startswith(">>>")]


def run_script(script, folder):
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning:__main__", str(script)],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.slow
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(script, tmp_path):
    run_script(script, tmp_path)


def test_examples_end_in_asserts():
    for script in EXAMPLES:
        last = script.read_text("utf-8").rstrip().splitlines()[-5:]
        assert any(line.startswith("assert ") for line in last), script.name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_python_in_the_pages_is_python(page):
    for code in python_blocks(page):
        compile(code, str(page), "exec")


def test_the_readme_runs(tmp_path):
    recording = simulate("2p-small", seed=3, shape=(200, 64, 64), n_cells=12).recording
    tifffile.imwrite(tmp_path / "mouse1.tif", recording.to_numpy())
    (code,) = python_blocks(ROOT / "README.md")
    (tmp_path / "readme.py").write_text(code, "utf-8")
    assert "mouse1-_-trial1" in run_script("readme.py", tmp_path)
