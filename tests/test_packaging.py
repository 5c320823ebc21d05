"""Wheel, sdist and editable install: npe2 finds the manifest, the command starts."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "napari_mesmerize"
MANIFEST = f"{PACKAGE}/napari.yaml"

pytest.importorskip("build", reason="pip install --group test")
pytest.importorskip("hatch_vcs", reason="pip install --group test")

# In a new environment: where the package is, and what npe2 says about its manifest.
EXAMINE = """
import json, pathlib
import napari_mesmerize
from npe2 import PluginManager, PluginManifest
manifest = PluginManifest.from_distribution("napari-mesmerize")
manager = PluginManager()
manager.discover()
names = {found.name for found in manager.iter_manifests()}
print(json.dumps({
    "package": str(pathlib.Path(napari_mesmerize.__file__).parent),
    "name": manifest.name,
    "commands": len(manifest.contributions.commands),
    "discovered": "napari-mesmerize" in names,
}))
"""


def run(*command, cwd=None, env=None):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def bare_environment():
    """Return this process's environment without what would let an import leak in."""
    keep = dict(os.environ)
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        keep.pop(name, None)
    return keep


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build the sdist, and the wheel from it, as ``python -m build`` does."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture
def new_environment(tmp_path):
    """Make an environment that sees the dependencies installed here, not the package.

    Installing all dependencies anew would take minutes and a network; a path file lends
    them, and what is installed into the environment comes first. The path file does not
    process those of the environment it lends, so an editable install there stays there.
    """
    folder = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder, env=bare_environment())
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    here, there = run(sys.executable, "-c", ask), run(python, "-c", ask)
    lent = Path(there.strip()) / "lent.pth"
    lent.write_text(here.strip() + "\n", "utf-8")
    return python


def install(python, *what):
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    if subprocess.run(
        [sys.executable, "-m", "pip", "--version"], check=False
    ).returncode:
        pytest.skip("pip is not installed beside this Python")
    run(*command, "--no-deps", "--no-build-isolation", "--ignore-installed", *what)


def examine(python, tmp_path):
    found = json.loads(run(python, "-c", EXAMINE, cwd=tmp_path, env=bare_environment()))
    assert found["name"] == "napari-mesmerize"
    assert found["commands"] > 0
    assert found["discovered"]
    return Path(found["package"])


def test_the_manifest_at_the_top_leads_to_the_one_in_the_package():
    top, real = ROOT / "napari.yaml", ROOT / "src" / MANIFEST
    assert real.is_file()
    assert not real.is_symlink()
    if top.is_symlink():
        assert not os.path.isabs(os.readlink(top))
    assert top.read_text("utf-8") == real.read_text("utf-8")


def test_wheel_and_sdist_hold_what_they_should(distributions):
    wheel, sdist = distributions
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()
    wanted = {MANIFEST, f"{PACKAGE}/py.typed", f"{PACKAGE}/__init__.py"}
    assert names >= wanted
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        PACKAGE
    }
    assert "Classifier: Framework :: napari" in text
    assert "License-Expression: BSD-3-Clause" in text
    with tarfile.open(sdist) as archive:
        members = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {f"src/{name}" for name in wanted} <= members
    assert {"napari.yaml", "pyproject.toml", "LICENSE", "README.md"} <= members


def test_wheel_in_a_new_environment(distributions, new_environment, tmp_path):
    wheel, _ = distributions
    install(new_environment, wheel)
    package = examine(new_environment, tmp_path)
    assert new_environment.parents[1] in package.parents
    npe2 = (new_environment, "-m", "npe2", "validate", "napari-mesmerize")
    assert "valid" in run(*npe2, cwd=tmp_path, env=bare_environment()).lower()
    command = new_environment.with_name("napari-mesmerize")
    assert "demo" in run(command, "--help", cwd=tmp_path, env=bare_environment())


def test_sdist_in_a_new_environment(distributions, new_environment, tmp_path):
    _, sdist = distributions
    install(new_environment, sdist)
    package = examine(new_environment, tmp_path)
    assert new_environment.parents[1] in package.parents


def test_editable_in_a_new_environment(new_environment, tmp_path):
    install(new_environment, "--editable", ROOT)
    assert examine(new_environment, tmp_path) == ROOT / "src" / PACKAGE
