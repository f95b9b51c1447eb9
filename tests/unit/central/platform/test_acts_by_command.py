"""Acts of the command line ask and tell the upper rooms as those of the API do."""

from pathlib import Path
from typing import NoReturn

import pytest

from central.__main__ import main
from central.platform.errors import Refused
from central.platform.hooks import HOOKS, Hooks
from central.workflow.site_file import Site, write_site


@pytest.mark.parametrize(
    "arguments", [["load-site"], ["import-registry", "--mapping", "customers"]], ids=["load-site", "import-registry"]
)
def test_the_upper_rooms_are_asked_before_the_registry_is_touched(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bool] = []
    for name in ("_affected", "_refuses", "_listeners"):
        monkeypatch.setattr(HOOKS, name, getattr(Hooks(), name))

    def no_database(*_: object, **__: object) -> NoReturn:
        heard.append("workflow" in HOOKS._listeners["channels.changed"])
        raise Refused("no_database", "There is no database.")

    monkeypatch.setattr("central.platform.database.make_engine", no_database)
    file = tmp_path / "file.json"
    file.write_bytes(write_site(Site(name="S")))
    assert main([*arguments, str(file)]) == 2
    assert heard == [True]
