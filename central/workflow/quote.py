"""A quote (nacenění): given quantities priced by the rules and packages of a settlement run, without a database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.gas import energy_mwh
from central.settlement.model import CannotPriceError, Line, Part, Priced, half_up
from central.settlement.price_parts import price_parts
from central.tariffs.load import load_file, shipped_files
from central.tariffs.package import Package
from central.workflow.quote_input import QuoteError, QuoteInput, read_quote
from shared.metering_day import next_month
from shared.quantities import Commodity

HALER = Decimal("0.01")
FINE = Decimal("0.000000001")
"""Step of a quantity spread over parts by days, so that they sum to it."""


def quote_file(path: Path, packages: Sequence[Path] = ()) -> dict[str, Any]:
    """The quote of a file's input; `packages` go before those that ship. Raises BadInput with a sentence."""
    given = read_quote(path.read_bytes())
    return quote(given, load_packages(packages))


def load_packages(own: Sequence[Path] = ()) -> list[Package]:
    """The packages that a quote is priced by: own files first, then what ships, binding ones before announced ones."""
    loaded = [load_file(path, FORMULA_SHAPES) for path in own]
    shipped = [load_file(path, FORMULA_SHAPES) for path in shipped_files()]
    return [*loaded, *sorted(shipped, key=lambda package: package.example)]


def quote(given: QuoteInput, packages: Sequence[Package]) -> dict[str, Any]:
    """Lines with their explanation, and the sums without and with VAT; numbers are decimal strings.

    Raises QuoteError where the input does not fit a package, or where a price is missing.
    """
    parts = parts_of(given, packages)
    try:
        priced = price_parts(parts)
    except CannotPriceError as error:
        raise QuoteError(f"The quote cannot be priced, component {error.component}: {error.reason}") from error
    return quoted(priced, parts)


def parts_of(given: QuoteInput, packages: Sequence[Package]) -> list[Part]:
    """The parts of a quote's period: cut at months above low voltage and for gas, and wherever a price changes."""
    usable = [
        package
        for package in packages
        if package.commodity == given.commodity.value and given.point.operator in package.file.operators
    ]
    if not usable:
        known = sorted(
            {name for package in packages if package.commodity == given.commodity for name in package.file.operators}
        )
        raise QuoteError(
            f"Field prices is {given.point.operator!r}; no package of {given.commodity.value} has this price list. "
            f"There are: {', '.join(known) or 'none'}."
        )
    borders = {given.first, given.end}
    if given.point.level != "NN" or any(len(values) > 1 for values in (*given.spread.values(), *given.held.values())):
        borders |= set(_month_borders(given.first, given.end))
    for package in usable:
        borders |= {day for day in package.borders if given.first < day < given.end}
    parts = [
        Part(first, end, 0, given.point, given.agreed, measured, _package(usable, given, first))
        for (first, end), measured in _measured(given, list(pairwise(sorted(borders))))
    ]
    if given.commodity is Commodity.GAS and given.point.annual_mwh is None:
        annual = sum((_gas_energy(part) for part in parts), Decimal(0))
        parts = [replace(part, point=replace(part.point, annual_mwh=annual)) for part in parts]
    for part in parts:
        _check_rate(part)
    return parts


def quoted(priced: Priced, parts: Sequence[Part]) -> dict[str, Any]:
    """A priced point as a quote prints it."""
    packages = dict.fromkeys(f"{part.prices.name} {part.prices.version}" for part in parts)
    bases: dict[Decimal, Decimal] = {}
    for line in priced.lines:
        percent = vat_percent_of(line, parts)
        bases[percent] = bases.get(percent, Decimal(0)) + line.amount
    net = half_up(priced.net, HALER)
    vat = sum((half_up(base * percent / 100, HALER) for percent, base in bases.items()), Decimal("0.00"))
    return {
        "lines": [_line(line) for line in priced.lines],
        "net": str(net),
        "vat": str(vat),
        "gross": str(net + vat),
        "vat_rates": {str(percent): str(half_up(base, HALER)) for percent, base in sorted(bases.items())},
        "packages": list(packages),
        "findings": [
            {"component": finding.component, "text": finding.text, "mark": finding.mark} for finding in priced.findings
        ],
    }


def vat_percent_of(line: Line, parts: Sequence[Part]) -> Decimal:
    """The VAT rate of a line: its own, else that of the package of its first day's part."""
    if line.vat_percent is not None:
        return line.vat_percent
    return next(part.prices.vat_percent for part in parts if part.first <= line.first < part.end)


def _line(line: Line) -> dict[str, Any]:
    return {
        "rate": line.code,
        "component": line.component,
        "name": line.name,
        "name_en": line.name_en,
        "from": line.first.isoformat(),
        "to": line.end.isoformat(),
        "quantity": _plain(line.quantity),
        "unit": line.unit,
        "unit_price": _plain(line.unit_price),
        "price_unit": line.price_unit,
        "amount": _plain(line.amount),
        "mark": line.mark,
        "why": line.why,
        "inputs": dict(line.inputs),
    }


def _plain(value: Decimal) -> str:
    return format(value, "f")


def _package(usable: Sequence[Package], given: QuoteInput, day: date) -> Package:
    for package in usable:
        if package.valid[0] <= day < package.valid[1]:
            return package
    known = ", ".join(
        f"{package.name} {package.version} ({package.valid[0].isoformat()} to {package.valid[1].isoformat()})"
        for package in usable
    )
    raise QuoteError(
        f"Field period has {day.isoformat()}, and no package with the price list {given.point.operator} holds that "
        f"day. There are: {known}."
    )


def _check_rate(part: Part) -> None:
    """At low voltage the energies given must be those of the rate's registers."""
    if part.point.level != "NN":
        return
    registers = part.prices.rate_registers(part.point.rate or "")
    if registers is None:
        raise QuoteError(
            f"Field rate is {part.point.rate!r}; package {part.prices.name} {part.prices.version} has no such rate."
        )
    names = ["energy_mwh"] if list(registers) == ["JT"] else [f"energy_{name.lower()}_mwh" for name in registers]
    missing = [name for name in names if name not in part.measured]
    if missing:
        raise QuoteError(f"Field {missing[0]} is missing: rate {part.point.rate} is billed by {', '.join(names)}.")
    others = [name for name in part.measured if name.startswith("energy_") and name not in names]
    if others and registers:
        raise QuoteError(f"Field {others[0]} does not belong to rate {part.point.rate}: it has {', '.join(names)}.")


def _month_borders(first: date, end: date) -> list[date]:
    borders = []
    day = next_month(first.year, first.month)
    while day < end:
        borders.append(day)
        day = next_month(day.year, day.month)
    return borders


def _measured(
    given: QuoteInput, days: Sequence[tuple[date, date]]
) -> list[tuple[tuple[date, date], Mapping[str, Decimal]]]:
    """What is measured in each part: sums spread by days, of the period or of each month; held values as they are."""
    found: list[dict[str, Decimal]] = [{} for _ in days]
    months = [(first.year - given.first.year) * 12 + first.month - given.first.month for first, _ in days]
    for name, values in given.held.items():
        for index, month in enumerate(months):
            found[index][name] = values[month] if len(values) > 1 else values[0]
    for name, values in given.spread.items():
        if len(values) == 1:
            groups = [(values[0], list(range(len(days))))]
        else:
            groups = [
                (value, [index for index, month in enumerate(months) if month == number])
                for number, value in enumerate(values)
            ]
        for value, indexes in groups:
            lengths = [(days[index][1] - days[index][0]).days for index in indexes]
            for index, share in zip(indexes, spread(value, lengths), strict=True):
                found[index][name] = share
    return list(zip(days, found, strict=True))


def spread(value: Decimal, lengths: Sequence[int]) -> list[Decimal]:
    """A quantity over parts by their lengths; the parts sum to it exactly."""
    if len(lengths) == 1:
        return [value]
    total, begun, given = sum(lengths), 0, Decimal(0)
    shares = []
    for length in lengths:
        begun += length
        until = value if begun == total else half_up(value * begun / total, FINE)
        shares.append(until - given)
        given = until
    return shares


def _gas_energy(part: Part) -> Decimal:
    """The part's own energy in MWh, by which its band is taken where no annual consumption is given."""
    energy = part.measured.get("energy_mwh")
    if energy is not None:
        return energy
    calorific_value = part.measured.get("calorific_value_kwh_m3")
    if calorific_value is None:
        stored = part.prices.find_price("calorific_value", part.first, operator=part.point.operator)
        if stored is None:
            raise QuoteError(
                f"Field calorific_value_kwh_m3 is missing: package {part.prices.name} {part.prices.version} has none."
            )
        calorific_value = stored.value
    coefficient = part.measured.get("volume_coefficient", Decimal(1))
    return energy_mwh(part.measured["volume_m3"], coefficient, calorific_value, FINE)
