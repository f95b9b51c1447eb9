"""The demo's report: invariants, figures, where to go on."""

from pathlib import Path
from typing import Any, Final

from lxml import etree
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.demo.compare import Comparison
from deploy.demo.plant import Plant
from deploy.demo.site import Metering

ISDOC_XSD: Final = Path(__file__).parents[2] / "central" / "invoicing" / "schema" / "isdoc-invoice-6.0.2.xsd"

_schema: etree.XMLSchema | None = None


def isdoc_is_valid(document: bytes) -> bool:
    """Whether an ISDOC keeps the official schema."""
    global _schema
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    if _schema is None:
        _schema = etree.XMLSchema(etree.parse(str(ISDOC_XSD), parser))
    return bool(_schema.validate(etree.fromstring(document, parser)))


def broken(result: dict[str, Any], comparison: Comparison, plant: Plant) -> list[str]:
    """The invariants that do not hold, as sentences; empty if all hold."""
    site = plant.site
    invoices = len(site.of(Metering.PROFILE, Metering.TWO_TARIFF, Metering.SINGLE_TARIFF, Metering.GAS))
    messages = 1 + len(  # one more: the day that OTE asks for
        [point for point in site.points if point.metering_type in ("A", "B") and point.metering is not Metering.GAS]
    )
    rules = [
        (comparison.expected > 0, "The meters held no values."),
        (comparison.lost == 0, f"{comparison.lost} values were lost."),
        (comparison.duplicated == 0, f"{comparison.duplicated} values were doubled."),
        (comparison.mismatched == 0, f"{comparison.mismatched} values differ from what the meters hold."),
        (comparison.unexpected == 0, f"{comparison.unexpected} values are stored that no meter holds."),
        (
            comparison.stored >= comparison.expected,
            f"{comparison.stored} values stored, {comparison.expected} expected.",
        ),
        (result["invoices"] == invoices, f"{result['invoices']} invoices instead of {invoices}."),
        (result["isdoc_valid"] == invoices, f"{result['isdoc_valid']} of {invoices} ISDOC documents are valid."),
        (not result["omitted"], f"Left out of the settlement: {result['omitted']}."),
        (result["billing_bases"] > 0, "There are no billing bases."),
        (result["checks"]["error"] == 0, f"The checks found {result['checks']['error']} errors."),
        (result["checks"]["ok"] > 0, "No billing basis was checked."),
        (result["ote"]["sent"] == messages, f"{result['ote']['sent']} messages to OTE instead of {messages}."),
        (result["ote"]["accepted"] == messages, f"OTE accepted {result['ote']['accepted']} of {messages} messages."),
        (result["ote"]["by_soap"] == messages, f"OTE called back {result['ote']['by_soap']} times."),
        (result["ote"]["by_mail"] == 1, f"{result['ote']['by_mail']} questions of OTE came by mail instead of 1."),
        (min(plant.kills().values(), default=0) >= 1, f"Not everybody was killed who should be: {plant.kills()}."),
    ]
    examples = [f"{fault}: {place}" for fault, places in comparison.examples.items() for place in places]
    return [sentence for holds, sentence in rules if not holds] + examples


def show(console: Console, result: dict[str, Any], output: Path, invoices: Path) -> None:
    """The table at the end."""
    table = Table(title="Průmyslový park Vlčí Důl, March 2026", title_justify="left", show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    checks, ote = result["checks"], result["ote"]
    rows = [
        ("meters, channels", f"{result['meters']}, {result['channels']}"),
        ("values expected, stored", f"{result['values_expected']:,}, {result['values_stored']:,}"),
        ("lost, doubled, mismatched", f"{result['lost']}, {result['duplicated']}, {result['mismatched']}"),
        ("killed on the way", ", ".join(f"{who} {times}×" for who, times in result["kills"].items())),
        ("billing bases", f"{result['billing_bases']}"),
        ("checks", ", ".join(f"{number} {name}" for name, number in checks.items())),
        ("invoices, valid ISDOC", f"{result['invoices']}, {result['isdoc_valid']}"),
        ("messages to OTE", f"{ote['sent']} sent, {ote['accepted']} accepted, {ote['rejected']} rejected"),
        ("messages from OTE", f"{ote['by_soap']} by SOAP call-back, {ote['by_mail']} by S/MIME mail"),
        ("seconds", f"{result['seconds']['total']:.0f}"),
        ("invoices in", _short(invoices)),
        ("figures in", _short(output)),
    ]
    for name, value in rows:
        table.add_row(name, value)
    console.print()
    console.print(table)
    if result["broken"]:
        for sentence in result["broken"]:
            console.print(f"[red]✗ {escape(sentence)}[/red]")
    else:
        console.print("[green]All invariants hold.[/green]")


def show_api(console: Console, address: str, token: str, invoice: str) -> None:
    """Where the API is and how to call it: lines to copy as they are, never wrapped."""
    call = 'curl -H "Authorization: Bearer $token" $api'
    lines = [
        "",
        f"API, documented: {address}/docs",
        "In another terminal (the token is this run's own):",
        "",
        f"  api={address} token={token}",
        f"  {call}/v1/invoices",
        f"  {call}/v1/invoices/{invoice}/lines/1/trace",
        f"  {call}/v1/invoices/{invoice}/pdf -o invoice.pdf",
        "",
        "Ctrl-C stops it.",
    ]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _short(path: Path) -> str:
    """From the current folder if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
