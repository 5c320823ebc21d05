"""Wheel, sdist and editable install: npe2 finds the manifest, the command starts."""

import email
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
import tifffile
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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

# Whether each module named on the command line can be imported, as JSON.
TRY = """
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        found[name] = "imported"
    except ImportError as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""
TOOLKIT = ("qtpy", "PyQt6", "PySide6", "napari", "pyqtgraph", "superqt", "magicgui")


def run(*command, cwd=None, env=None, timeout=300):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
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


def make_environment(folder):
    """Make an empty environment; return its Python and its folder of packages."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, env=bare_environment())
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return python, Path(run(python, "-c", ask).strip())


def closure(lines):
    """Return the names of all distributions that requirements lead to."""
    found = {}
    waiting = [(line, "") for line in lines]
    while waiting:
        line, extra = waiting.pop()
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        known = found.setdefault(canonicalize_name(requirement.name), set())
        extras = {"", *requirement.extras} - known
        known |= extras
        needs = distribution(requirement.name).requires or [] if extras else []
        waiting += [(line, extra) for line in needs for extra in extras]
    return set(found)


def lend(names, packages):
    """Link distributions that are installed here, and no others."""
    for name in names:
        lent = distribution(name)
        for top in {file.parts[0] for file in lent.files} - {"..", "__pycache__"}:
            link = packages / top
            if link.exists():
                continue
            try:
                link.symlink_to(lent.locate_file(top))
            except OSError as error:  # Windows, unless in developer mode
                pytest.skip(f"no links can be made here: {error}")


@pytest.fixture
def new_environment(tmp_path):
    """Make an environment that sees the dependencies installed here, not the package.

    Installing all dependencies anew would take minutes and a network; a path file lends
    them, and what is installed into the environment comes first. The path file does not
    process those of the environment it lends, so an editable install there stays there.
    """
    python, packages = make_environment(tmp_path / "environment")
    here = run(
        sys.executable, "-c", "import sysconfig as s; print(s.get_path('purelib'))"
    )
    (packages / "lent.pth").write_text(here.strip() + "\n", "utf-8")
    return python


@pytest.fixture(scope="module")
def server(distributions, tmp_path_factory):
    """Install the wheel where nothing can be imported but what it needs."""
    wheel, _ = distributions
    python, packages = make_environment(tmp_path_factory.mktemp("server"))
    install(python, wheel)
    lend(closure(metadata_of(wheel).get_all("Requires-Dist")), packages)
    return python, packages


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


def metadata_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        return email.message_from_bytes(archive.read(name))


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
    wanted = {MANIFEST, f"{PACKAGE}/py.typed", f"{PACKAGE}/__init__.py"}
    assert names >= wanted
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        PACKAGE
    }
    metadata = metadata_of(wheel)
    assert "Framework :: napari" in metadata.get_all("Classifier")
    assert metadata["License-Expression"] == "BSD-3-Clause"
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


def test_a_server_has_no_window_toolkit_and_the_commands_work(
    server, small_2p, tmp_path
):
    python, _ = server
    env = bare_environment()
    tried = json.loads(run(python, "-c", TRY, *TOOLKIT, cwd=tmp_path, env=env))
    for name, outcome in tried.items():
        assert outcome == f"ModuleNotFoundError: No module named {name!r}"
    frames = small_2p.recording[:60, :32, :32].to_numpy()
    tifffile.imwrite(tmp_path / "mouse.tif", frames)
    command = python.with_name("napari-mesmerize")
    sample = ("--animal", "mouse", "--trial", "1", "--frame-rate", "10")
    run(
        *(command, "run", "mouse.tif", "--project", "study", *sample),
        cwd=tmp_path,
        env=env,
    )
    listed = run(command, "project", "ls", "study", "--json", cwd=tmp_path, env=env)
    (row,) = json.loads(listed)["samples"]
    assert row["sample_id"] == "mouse-_-1"
    assert row["n_rois"] > 0


def test_docks_without_their_libraries_name_the_line_that_installs_them(
    server, tmp_path
):
    dock = "napari_mesmerize.widgets.traces.dock"
    python, packages = server
    env = bare_environment()
    tried = json.loads(run(python, "-c", TRY, dock, cwd=tmp_path, env=env))
    assert tried[dock] == (
        "MissingExtraError: The windows of napari-mesmerize need napari, qtpy, "
        "superqt, pyqtgraph: pip install 'napari-mesmerize[all]'. Then start napari "
        "again."
    )
    lend(closure(["napari"]), packages)
    tried = json.loads(run(python, "-c", TRY, dock, cwd=tmp_path, env=env))
    assert "need pyqtgraph: pip install 'napari-mesmerize[gui]'" in tried[dock]
