"""Every kind of source is there and described; nothing but the worker of the house asks anybody outside."""

from pathlib import Path

from central.workflow.external.adapters import ADAPTERS

ROOT = Path(__file__).parents[5]


def test_every_adapter_is_described_to_operators() -> None:
    told = (ROOT / "docs" / "external-information.md").read_text(encoding="utf-8")
    assert {
        "ote-day-ahead", "ote-imbalance", "ote-gas", "ote-participants", "cnb-rates", "calorific", "switching-times",
        "load-profiles", "temperatures", "ares", "eru-workbook", "edc-sharing",
    } == set(ADAPTERS)  # fmt: skip
    for name, adapter in ADAPTERS.items():
        assert adapter.name == name
        assert f"| `{name}` |" in told
        assert adapter.mark in ("documented", "inferred", "assumed")


def test_only_the_worker_fetches() -> None:
    using = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "central").rglob("*.py")
        if "central.platform.external.fetch import" in path.read_text(encoding="utf-8")
    }
    assert using == {"central/workflow/external/worker.py"}
