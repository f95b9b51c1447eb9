"""Foreign implementations, each a process of its own. What cannot be installed is left out loudly, or fails (CI=1,
ROZVODNA_PEERS=required).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from deploy.peers import PeerProgram, peers_required, require_mbpoll, require_tshark
from deploy.peers_dlms import require_dlms_clients
from deploy.peers_softhsm import SoftHsm, require_softhsm
from deploy.peers_xmlsec import require_xmlsec
from deploy.stack.errors import StackError

T = TypeVar("T")

_HERE = Path(__file__).parent
_left_out: dict[str, str] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder is checked against a peer."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.peers)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not checked stands at the end, where it is seen."""
    for name, reason in _left_out.items():
        terminalreporter.write_sep("!", f"NOT CHECKED against {name}", red=True, bold=True)
        terminalreporter.write_line(reason)


def require_peer(name: str, make: Callable[[], T]) -> T:
    """What `make` gives; where it raises `StackError`, the test is left out or, if peers are required, fails."""
    try:
        return make()
    except StackError as error:
        if peers_required():
            pytest.fail(f"The foreign peer {name} is required and cannot be had: {error}", pytrace=False)
        _left_out[name] = str(error)
        pytest.skip(f"NOT CHECKED against {name}: {error}")


@pytest.fixture(scope="session")
def mbpoll(home: Path) -> PeerProgram:
    """mbpoll, a Modbus master on libmodbus."""
    return require_peer("mbpoll", lambda: require_mbpoll(home, print))


@pytest.fixture(scope="session")
def tshark(home: Path) -> PeerProgram:
    """tshark, Wireshark without a screen; it only reads files here."""
    return require_peer("tshark", lambda: require_tshark(home, print))


@pytest.fixture(scope="session")
def dlms_python(home: Path) -> Path:
    """Python of the environment that holds gurux-dlms and dlms-cosem."""
    return require_peer("gurux-dlms and dlms-cosem", lambda: require_dlms_clients(home, print))


@pytest.fixture(scope="session")
def softhsm(home: Path) -> SoftHsm:
    """SoftHSM, a PKCS#11 token in software."""
    return require_peer("SoftHSM", lambda: require_softhsm(home, print))


@pytest.fixture(scope="session")
def xmlsec(home: Path) -> PeerProgram:
    """xmlsec1, XML signatures on libxml2 and OpenSSL."""
    return require_peer("xmlsec1", lambda: require_xmlsec(home, print))
