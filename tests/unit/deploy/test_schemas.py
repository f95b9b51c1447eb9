"""The shared schemas are those of the structures."""

import json

from jsonschema import Draft202012Validator

from central.tariffs.load import shipped_files
from central.tariffs.schema import package_schema
from deploy.schemas import texts
from shared.device_templates import shipped_templates
from shared.schemas import edge_config_schema
from tests.unit.edge.examples import config_data


def test_the_schemas_in_the_files_are_current() -> None:
    for path, text in texts().items():
        assert path.read_text(encoding="utf-8") == text, "the structures have changed: call `make schemas`"


def test_the_schema_of_packages_takes_what_ships_and_refuses_what_it_does_not_know() -> None:
    Draft202012Validator.check_schema(package_schema())
    validator = Draft202012Validator(package_schema())
    for path in shipped_files():
        content = json.loads(path.read_text(encoding="utf-8"))
        assert list(validator.iter_errors(content)) == [], path.name
        assert not validator.is_valid({**content, "surprise": 1})
        assert not validator.is_valid({**content, "vat": {"percent": 21}})


def test_it_is_a_schema_and_takes_what_the_agent_takes() -> None:
    Draft202012Validator.check_schema(edge_config_schema())
    validator = Draft202012Validator(edge_config_schema())
    assert list(validator.iter_errors(config_data())) == []
    for name, template in shipped_templates().items():
        data = config_data()
        data["buses"][0]["devices"] = [{"id": "X", "template": name}, {**template, "id": "Y", "template": name}]
        assert list(validator.iter_errors(data)) == [], name
