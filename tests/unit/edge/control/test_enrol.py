"""The enrolment: a key that is made once, and what central is told of it."""

import json
from pathlib import Path

import pytest

from edge.control.enrol import main
from shared.control.keys import key_text, read_key_file, sealing_public
from tests.unit.edge.control_examples import local_data


def test_the_key_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, config, key = local_data(), tmp_path / "config.json", tmp_path / "keys" / "edge.key"
    data["control"]["key_file"] = str(key)
    config.write_text(json.dumps(data))
    assert main([str(config)]) == 0
    first = capsys.readouterr().out
    assert json.loads(first)["key"] == key_text(sealing_public(read_key_file(key)))
    assert json.loads(first)["concentrator"] == "CONC-1"
    assert main([str(config)]) == 0
    assert capsys.readouterr().out == first


def test_without_a_place_for_it_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(local_data()))
    assert main([str(config)]) == 2
    assert "at control.key_file: it is not set" in capsys.readouterr().err
