"""The shared schemas are those of the structures."""

from jsonschema import Draft202012Validator

from deploy.schemas import text
from shared.device_templates import shipped_templates
from shared.schemas import EDGE_CONFIG, edge_config_schema
from tests.unit.edge.examples import config_data


def test_the_schema_in_the_file_is_current() -> None:
    assert EDGE_CONFIG.read_text(encoding="utf-8") == text(), "the structures have changed: call `make schemas`"


def test_it_is_a_schema_and_takes_what_the_agent_takes() -> None:
    Draft202012Validator.check_schema(edge_config_schema())
    validator = Draft202012Validator(edge_config_schema())
    assert list(validator.iter_errors(config_data())) == []
    for name, template in shipped_templates().items():
        data = config_data()
        data["buses"][0]["devices"] = [{"id": "X", "template": name}, {**template, "id": "Y", "template": name}]
        assert list(validator.iter_errors(data)) == [], name
