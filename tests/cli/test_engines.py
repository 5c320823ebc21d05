import json

from napari_mesmerize.cli import main
from napari_mesmerize.engines import ENGINES


def test_engines_are_listed_for_people(capsys):
    assert main(["engines"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ENGINES)


def test_engines_are_listed_for_programs(capsys):
    assert main(["engines", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["engines"]
    assert [one["name"] for one in found] == list(ENGINES)
    volumes = {one["name"] for one in found if "volumes" in one["recordings"]}
    assert volumes == {"rigid", "piecewise", "cnmf3d"}
    assert found[2]["needs"] == ["frame rate"]
    assert found[0]["first_fields"] == list(ENGINES["rigid"].first_fields)


def test_options_name_the_engines_of_the_table(capsys):
    assert main(["run", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "One of: rigid, piecewise, none." in text
    assert "One of: cnmf, cnmfe, cnmf3d, none." in text
