import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from central.platform.errors import BadInput, NotIdentified
from central.platform.identity import Identities
from central.platform.settings import Settings, TokenSetting

ANNA = {"token": "a-very-long-token-1", "name": "Anna", "rights": ["read", "invoice"]}
BOB = {"token": "a-very-long-token-2", "name": "Bob", "rights": ["read"]}


def identities(*people: dict[str, object]) -> Identities:
    return Identities(TokenSetting.model_validate(person) for person in people)


def test_a_token_names_person_and_rights() -> None:
    person = identities(ANNA, BOB).require("Bearer a-very-long-token-1")
    assert person.name == "Anna"
    assert person.rights == {"read", "invoice"}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic a-very-long-token-1", "a-very-long-token-1"])
def test_a_request_without_a_bearer_token_is_not_identified(header: str | None) -> None:
    with pytest.raises(NotIdentified) as refused:
        identities(ANNA).require(header)
    assert refused.value.code == "token_missing"


def test_an_unknown_token_is_not_identified_and_not_repeated_in_the_message() -> None:
    with pytest.raises(NotIdentified) as refused:
        identities(ANNA).require("Bearer a-very-long-token-x")
    assert refused.value.code == "token_unknown"
    assert "token-x" not in refused.value.message


def test_tokens_come_from_environment_and_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps([BOB]))
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps([ANNA]))
    monkeypatch.setenv("ROZVODNA_TOKENS_FILE", str(file))
    settings = Settings()
    assert [token.name for token in settings.all_tokens()] == ["Anna", "Bob"]
    assert "a-very-long-token-1" not in repr(settings)


@pytest.mark.parametrize(
    ("tokens", "code"),
    [([ANNA, {**BOB, "token": ANNA["token"]}], "repeated_token"), ([{**BOB, "rights": ["fly"]}], "unknown_right")],
)
def test_tokens_that_cannot_stand_are_refused(
    monkeypatch: pytest.MonkeyPatch, tokens: list[dict[str, object]], code: str
) -> None:
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(tokens))
    with pytest.raises(BadInput) as refused:
        Settings().all_tokens()
    assert refused.value.code == code


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValidationError):
        TokenSetting.model_validate({**BOB, "token": "short"})


def test_the_database_is_also_named_by_the_usual_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROZVODNA_DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    assert Settings().database_url == "postgresql://somewhere/else"


@pytest.mark.parametrize(
    "people",
    [
        '[{"token": "super-secret-token", "rights": ["read"]}]',
        '[{"token": "secret", "name": "Anna", "rights": ["read"]}]',
        '[{"token": ["super-secret-token"], "name": "Anna", "rights": ["read"]}]',
        '[{"token": "super-secret-token", "name": "Anna", "rights": ["read"]',
    ],
)
def test_a_wrong_setting_does_not_print_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, people: str) -> None:
    """What `python -m central` prints when it cannot start goes to the log."""
    file = tmp_path / "tokens.json"
    file.write_text(people)
    with pytest.raises(ValueError) as from_file:
        Settings(tokens_file=file).all_tokens()
    monkeypatch.setenv("ROZVODNA_TOKENS", people)
    with pytest.raises(ValueError) as from_environment:
        Settings()
    for error in (from_file.value, from_environment.value, from_environment.value.__cause__):
        assert "secret" not in f"{error!s}{error!r}"
