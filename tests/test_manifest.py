"""The manifest that napari reads: complete, valid, and all it names exists."""

import os
from pathlib import Path

import npe2
import pytest
import yaml

from napari_mesmerize.io import SUFFIXES

PACKAGE = Path(__file__).parents[1] / "src" / "napari_mesmerize"


@pytest.fixture(scope="module")
def manifest():
    return npe2.PluginManifest.from_distribution("napari-mesmerize")


def test_the_manifest_is_found_and_valid(manifest):
    assert manifest.name == "napari-mesmerize"
    manifest.validate_imports()


def test_every_command_is_used_and_every_use_is_a_command(manifest):
    contributions = manifest.contributions
    known = {command.id for command in contributions.commands}
    used = {
        item.command
        for kind in ("readers", "writers", "widgets", "sample_data")
        for item in getattr(contributions, kind)
    }
    assert used == known


def test_files_that_the_package_reads_can_be_dropped_on_the_canvas(manifest):
    (reader,) = manifest.contributions.readers
    results = ["*.roi", "*.zip"]  # the others' suffixes are those of recordings
    wanted = [*(f"*{suffix}" for suffix in SUFFIXES), *results]
    assert sorted(reader.filename_patterns) == sorted(wanted)
    assert reader.accepts_directories


def test_sample_data_and_docks_have_names_for_people(manifest):
    samples = {
        item.key: item.display_name for item in manifest.contributions.sample_data
    }
    assert set(samples) == {"2p-small", "1p-small", "3d-small"}
    names = [item.display_name for item in manifest.contributions.widgets]
    assert {"Motion correction", "CNMF", "ROI manager", "Traces", "Project"} <= set(
        names
    )
    assert {"Inspect correlation & PNR", "Component evaluation"} <= set(names)
    assert len(names) == len(set(names))


def test_the_manifest_at_the_top_is_the_one_in_the_package():
    top = PACKAGE.parents[1] / "napari.yaml"
    if not top.exists():
        pytest.skip("no source tree")
    if top.is_symlink():
        assert not os.path.isabs(os.readlink(top))
    assert yaml.safe_load(top.read_text()) == yaml.safe_load(
        (PACKAGE / "napari.yaml").read_text()
    )


def test_the_menus_show_the_plugin(make_napari_viewer):
    viewer = make_napari_viewer()
    from napari._app_model import get_app_model

    app = get_app_model()
    titles = {command.title for _, command in app.commands if command.title}
    assert any("Motion correction" in title for title in titles)
    assert any("Two-photon" in title for title in titles)
    del viewer
