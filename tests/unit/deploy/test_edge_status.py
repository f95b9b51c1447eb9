"""`rozvodna edge status`: what it shows, and where it looks."""

import json
import os
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from deploy import edge_status
from deploy.edge_status import find, main, view
from tests.unit.edge.page.status_example import status


def rendered(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    console = Console(width=120, record=True, file=StringIO())
    code = main([*arguments, "--once"], console)
    return code, console.export_text()


def test_a_status_file_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    file.write_text(json.dumps(status()))
    code, text = rendered(tmp_path, str(file))
    assert code == 0
    for part in ("CONC-1", "12 blocks", "rtu-1", "LU-1", "The meter did not answer.", "1 min 30 s ago", "<does not"):
        assert part in text
    assert "the agent does not run" not in text


def test_a_configuration_leads_to_the_file_beside_its_outbox(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps(status()))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"outbox": {"path": str(tmp_path / "outbox.sqlite")}}))
    assert rendered(tmp_path, str(config))[0] == 0


def test_an_old_file_is_of_an_agent_that_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    file.write_text(json.dumps(status()))
    os.utime(file, (1_000_000, 1_000_000))
    assert "the agent does not run" in rendered(tmp_path, str(file))[1]


@pytest.mark.parametrize(
    "content", [None, "{}", "[]", "nonsense", '{"outbox": "path"}', '{"outbox": {}}', '{"outbox": {"path": 5}}']
)
def test_what_is_no_status_is_refused(tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.json"
    if content is not None:
        file.write_text(content)
    assert main([str(file), "--once"]) == 2
    assert str(file) in capsys.readouterr().err


def test_texts_of_meters_are_no_markup() -> None:
    shown = status()
    shown["devices"]["EA-1"]["last_error"] = "[bold]x[/bold] [/nonsense]"
    console = Console(width=160, record=True, file=StringIO())
    console.print(view(shown))
    assert "[bold]x[/bold] [/nonsense]" in console.export_text()


def test_an_address_is_asked() -> None:
    look = find("http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match=r"127\.0\.0\.1:1/status\.json gives no status"):
        look()


def test_a_live_view_outlives_a_restart_of_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, moves = tmp_path / "status.json", iter(("gone", "back", "end"))
    file.write_text(json.dumps(status()))
    console = Console(width=120, record=True, file=StringIO(), force_terminal=True)

    def wait(_seconds: float) -> None:
        move = next(moves)
        if move == "gone":
            file.unlink()
        elif move == "back":
            file.write_text(json.dumps({**status(), "edge": "CONC-2"}))
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(edge_status.time, "sleep", wait)
    assert edge_status.main([str(file)], console) == 0
    text = console.export_text()
    assert "gives no status" in text and "CONC-2" in text
