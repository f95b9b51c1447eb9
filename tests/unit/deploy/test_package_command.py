"""`rozvodna package` without a database: build, unpack, verify, diff; status 2 with a sentence on faults."""

import json
from datetime import date
from pathlib import Path

import pytest

from central.tariffs.load import shipped_files
from deploy.package_command import _months, main
from tests.unit.central.tariffs.price_decision import written

ELECTRICITY = next(path for path in shipped_files() if path.stem == "cz-electricity-2026")


def test_from_unpacking_to_a_signed_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, source, built = tmp_path / "sign.key", tmp_path / "source", tmp_path / "built.json"
    assert main(["key", str(key)]) == 0
    public = capsys.readouterr().out.split()[-1]
    assert main(["unpack", str(ELECTRICITY), str(source)]) == 0
    services = source / "tables" / "system_services.csv"
    services.write_text("value\n170.5\n", encoding="utf-8")
    assert main(["build", str(source), str(built), "--sign-key", str(key)]) == 0
    first = built.read_bytes()
    assert main(["build", str(source), str(built), "--sign-key", str(key)]) == 0
    assert built.read_bytes() == first
    capsys.readouterr()
    assert main(["verify", str(built)]) == 2
    assert "not trusted here" in capsys.readouterr().err
    assert main(["verify", str(built), "--key", public]) == 0
    assert "breaker 1" in capsys.readouterr().out
    assert main(["diff", str(ELECTRICITY), str(built)]) == 0
    assert "system_services: 164.24 CZK/MWh becomes 170.5 CZK/MWh" in capsys.readouterr().out


def test_what_ships_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    for path in shipped_files():
        assert main(["verify", str(path)]) == 0
        assert "signed    " in capsys.readouterr().out


def test_a_fault_is_status_2_and_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(ELECTRICITY.read_text(encoding="utf-8"))
    damaged = tmp_path / "damaged.json"
    for change, sentence in (
        ({"valid": ["2026-01-01", "2025-01-01"]}, "must be later"),
        ({"version": "other"}, "changed after it was built"),
        ({"signature": None}, "is not signed"),
    ):
        damaged.write_text(json.dumps({**content, **change}), encoding="utf-8")
        assert main(["verify", str(damaged)]) == 2
        answer = capsys.readouterr()
        assert sentence in answer.out + answer.err
    assert main(["verify", str(damaged), "--unsigned"]) == 0
    assert main(["diff", str(damaged), str(damaged), str(damaged)]) == 2


def test_months_are_told_as_runs() -> None:
    months = [date(2025, 12, 1), date(2026, 1, 1), date(2026, 3, 1)]
    assert _months(months) == "2025-12..2026-01, 2026-03"


def test_a_price_decision_s_workbook_is_compared_and_can_be_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book, folder, built = tmp_path / "ceny.xlsx", tmp_path / "source", tmp_path / "built.json"
    book.write_bytes(written(lambda low, high: setattr(high.cell(row=3, column=5), "value", 1.5)))
    assert main(["workbook", str(book), str(ELECTRICITY), "--folder", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "(mapping assumed) against cz-electricity-2026" in told
    assert "use_of_networks" in told
    assert "becomes 1.5 CZK/MWh" in told
    assert main(["build", str(folder), str(built)]) == 0
    assert main(["diff", str(ELECTRICITY), str(built)]) == 0
    assert "becomes 1.5 CZK/MWh" in capsys.readouterr().out
    mapping = tmp_path / "mapping.json"
    mapping.write_text("[]", encoding="utf-8")
    assert main(["workbook", str(book), str(ELECTRICITY), "--mapping", str(mapping)]) == 2
    assert "mapping of the workbook cannot be read" in capsys.readouterr().err
