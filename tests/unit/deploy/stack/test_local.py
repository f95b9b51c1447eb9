"""What needs no server: addresses from the environment, accounts, ports, names."""

from __future__ import annotations

import base64
import re
import socket
from pathlib import Path

import pytest

from deploy.stack import account, broker, database
from deploy.stack.errors import StackError
from deploy.stack.local import LocalStack, home_folder
from deploy.stack.mqtt_probe import log_in
from deploy.stack.ports import find_free_port, is_free

FOREIGN = {
    "DATABASE_URL": "postgresql://me:secret@db.example:5433/site",
    "MQTT_URL": "mqtt://central:pass%40word@mq.example",
}


def test_named_servers_are_used_and_nothing_is_fetched(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, environment=FOREIGN)
    state = stack.up()
    assert state.database_url == FOREIGN["DATABASE_URL"]
    assert (state.mqtt_host, state.mqtt_port) == ("mq.example", 1883)
    assert (state.central_user, state.central_password) == ("central", "pass@word")
    assert stack.add_edge("CONC-1") == "pass@word"
    assert stack.edge_user("CONC-1") == "central"
    assert (stack.status().database, stack.status().broker) == ("foreign", "foreign")
    assert not (tmp_path / "stack/programs").exists()
    stack.down()
    stack.destroy()
    assert stack.read_state() is None


def test_state_is_private(tmp_path: Path) -> None:
    LocalStack(tmp_path, environment=FOREIGN).up()
    assert (tmp_path / "stack/state.json").stat().st_mode & 0o777 == 0o600


def test_instances_are_found_by_their_state(tmp_path: Path) -> None:
    for instance in ("default", "test-17"):
        LocalStack(tmp_path, instance, environment=FOREIGN).up()
    assert [stack.instance for stack in LocalStack.instances(tmp_path)] == ["test-17", "default"]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("MQTT_URL", "amqp://x"),
        ("MQTT_URL", "mqtt://x:abc"),
        ("MQTT_URL", "x"),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgresql://x:99999/y"),
        ("DATABASE_URL", "postgresql://[x/y"),
    ],
)
def test_a_wrong_address_is_a_sentence(tmp_path: Path, name: str, url: str) -> None:
    stack = LocalStack(tmp_path, environment={**FOREIGN, name: url})
    with pytest.raises(
        StackError, match=rf"^{name} is '{re.escape(url)}'; expected (mqtt|postgresql)://USER:PASSWORD@"
    ):
        stack.up()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"MQTT_URL": "mqtt://a:b@127.0.0.1:1"}, "MQTT_URL names the broker 127.0.0.1:1, but nobody answers there"),
        ({"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x"}, "DATABASE_URL names a database that cannot be reached"),
    ],
)
def test_a_server_that_is_not_there_is_a_sentence(tmp_path: Path, environment: dict[str, str], sentence: str) -> None:
    LocalStack(tmp_path, environment=FOREIGN).up()
    stack = LocalStack(tmp_path, environment={**FOREIGN, **environment})
    stack.up()
    with pytest.raises(StackError, match=sentence):
        LocalStack(tmp_path, environment=environment).check()


def test_never_started_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="was never started; call `rozvodna stack up`"):
        LocalStack(tmp_path, environment={}).add_edge("CONC-1")


def test_home_folder(tmp_path: Path) -> None:
    assert home_folder({"ROZVODNA_HOME": str(tmp_path)}) == tmp_path
    assert home_folder({}).name == ".rozvodna"


def test_plain_user_needs_no_other_account(tmp_path: Path) -> None:
    chosen = account.choose_account(tmp_path / "stack", uid=1000)
    assert (chosen.prefix, chosen.owner, chosen.folder) == ((), None, tmp_path / "stack")


@pytest.mark.parametrize("edge", ["", "central", "a/b", "+", "#", "../x", ".hidden", "a" * 65, "a:b", "a\n"])
def test_edge_ids_that_would_reach_beyond_their_topic(tmp_path: Path, edge: str) -> None:
    own = broker.Broker(tmp_path, account.Account((), None, tmp_path))
    with pytest.raises(StackError, match="cannot be an edge's id"):
        own.add_accounts([edge], None, 0)


def test_password_hash_is_mosquittos() -> None:
    # Made by mosquitto_passwd 2.0.21 for the password "rozvodna".
    salt = "B4TRVnXjTuEOkI7t"
    digest = "TvW8ntJkHAt0lMd3sXEH1B99eECf20jYSoYQAsoIHFUnncoCvYqRBqX4Ir11FbT4hMGmSC1OkJ1y4NnwQKv+ww=="
    assert broker.hash_password("rozvodna", base64.b64decode(salt)) == f"$7$101${salt}${digest}"


@pytest.mark.parametrize("name", ["", "Site", "1site", "a-b", "x" * 64, 'a"b', "a\n"])
def test_database_names(name: str) -> None:
    with pytest.raises(StackError, match="cannot be a database's name"):
        database.create_database("postgresql://nowhere.invalid/x", name)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://a:b@h:1/x", "postgresql://a:b@h:1/y"),
        ("postgresql://a:b@h:1/x?sslmode=require", "postgresql://a:b@h:1/y?sslmode=require"),
    ],
)
def test_with_database(url: str, expected: str) -> None:
    assert database.with_database(url, "y") == expected


def test_ports() -> None:
    port = find_free_port()
    assert is_free(port)
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        assert not is_free(port)
    assert log_in("127.0.0.1", port, "a", "b", seconds=0.5) is None
