"""Why this number: a billing basis explained from what was kept with it, as structure and as text. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from central.settlement.marks import czech, czech_unit, mark_word
from central.settlement.model import QUANTITIES
from shared.metering_day import PRAGUE

LANGUAGES = ("cs", "en")

FORMULA_WORDS: Mapping[str, tuple[str, str]] = {
    "per_mw_month": ("výkon v MW × cena za MW a měsíc", "capacity in MW x price per MW and month"),
    "per_mwh": ("energie × cena za MWh", "energy x price per MWh"),
    "per_mvarh": ("jalová energie × cena za MVArh", "reactive energy x price per MVArh"),
    "per_point_month": ("měsíce × měsíční cena odběrného místa", "months x monthly price of the supply point"),
    "per_started_unit_month": (
        "měsíce × započaté jednotky příkonu × cena jednotky",
        "months x started units of power x price of one",
    ),
    "breaker_band": ("měsíce × cena pásma hlavního jističe", "months x price of the main breaker's band"),
    "capped_per_mw": (
        "nižší z: rezervovaný příkon × cena, energie × strop",
        "the lower of: reserved input x price, energy x cap",
    ),
    "capped_per_ampere": (
        "nižší z: proud jističe × fáze × cena, energie × strop",
        "the lower of: current of the breaker x phases x price, energy x cap",
    ),
    "excess_over_reserved": (
        "nejvyšší čtvrthodina měsíce nad sjednanou hodnotou × násobek × základní cena za kW",
        "highest quarter-hour of the month above the agreed value x multiplier x base price per kW",
    ),
    "fixed_excess_over_reserved": (
        "nejvyšší čtvrthodina měsíce nad sjednanou hodnotou × pevná cena za kW",
        "highest quarter-hour of the month above the agreed value x fixed price per kW",
    ),
    "lower_tariff_reserved_input": (
        "rezervovaný příkon × cena tarifu s nižším součtem v měsíci",
        "reserved input x price of the tariff with the lower sum in the month",
    ),
    "lower_tariff_maximum_power": (
        "maximální odebraný výkon × cena tarifu s nižším součtem v měsíci",
        "maximum power taken x price of the tariff with the lower sum in the month",
    ),
    "power_factor": (
        "(maximum × cena kapacity + (cena sítí + cena elektřiny) × energie) × přirážka podle tg φ",
        "(maximum x price of capacity + (price of networks + of electricity) x energy) x surcharge by tg phi",
    ),
    "power_factor_neutral_band": ("účiník v neutrálním pásmu", "power factor inside its neutral band"),
    "gas_energy": (
        "objem × objemový koeficient × spalné teplo × cena za MWh",
        "volume x volume coefficient x calorific value x price per MWh",
    ),
    "gas_market_operator": ("distribuovaná energie × cena za MWh", "distributed energy x price per MWh"),
    "gas_fixed_month": ("měsíce × stálý plat pásma", "months x fixed payment of the band"),
    "gas_capacity_instalment": (
        "denní kapacita × roční cena / počet splátek",
        "daily capacity x yearly price / instalments",
    ),
    "gas_capacity_excess": (
        "nejvyšší plynárenský den nad denní kapacitou × násobek × základní cena",
        "highest gas day above the daily capacity x multiplier x base price",
    ),
}
"""What each formula of the release does, in Czech and English."""

QUANTITY_WORDS: Mapping[str, tuple[str, str]] = {
    "reserved_capacity_year_kw": ("roční rezervovaná kapacita v kW", "yearly reserved capacity in kW"),
    "reserved_capacity_month_kw": ("měsíční rezervovaná kapacita v kW", "monthly reserved capacity in kW"),
    "reserved_input_kw": ("rezervovaný příkon v kW", "reserved input in kW"),
    "reserved_output_kw": ("rezervovaný výkon v kW", "reserved output in kW"),
    "max_quarter_hour_kw": ("nejvyšší čtvrthodina v kW", "highest quarter-hour in kW"),
    "max_quarter_hour_output_kw": ("nejvyšší čtvrthodina dodávky v kW", "highest quarter-hour given in kW"),
    "max_quarter_hour_without_exempt_kw": (
        "nejvyšší čtvrthodina bez osvobozených účastníků v kW",
        "highest quarter-hour without exempt participants in kW",
    ),
    "energy_mwh": ("energie v MWh", "energy in MWh"),
    "energy_vt_mwh": ("energie ve vysokém tarifu v MWh", "energy in high tariff in MWh"),
    "energy_nt_mwh": ("energie v nízkém tarifu v MWh", "energy in low tariff in MWh"),
    "energy_returned_mwh": ("vrácená energie v MWh", "energy given back in MWh"),
    "evaluated_energy_mwh": ("energie hodnocených intervalů v MWh", "energy of evaluated intervals in MWh"),
    "reactive_taken_mvarh": ("odběr jalové energie v MVArh", "reactive energy taken in MVArh"),
    "reactive_delivery_mvarh": ("dodávka jalové energie v MVArh", "reactive energy delivered in MVArh"),
    "evaluated_reactive_taken_mvarh": (
        "odběr jalové energie hodnocených intervalů v MVArh",
        "reactive energy taken in evaluated intervals in MVArh",
    ),
    "volume_m3": ("objem v m³", "volume in m3"),
    "volume_coefficient": ("objemový koeficient", "volume coefficient"),
    "calorific_value_kwh_m3": ("spalné teplo v kWh/m³", "calorific value in kWh/m3"),
    "daily_capacity_thousand_m3": ("denní kapacita v tis. m³", "daily capacity in thousand m3"),
    "daily_capacity_month_thousand_m3": ("měsíční denní kapacita v tis. m³", "monthly daily capacity in thousand m3"),
    "daily_capacity_sliding_thousand_m3": (
        "klouzavá denní kapacita v tis. m³",
        "sliding daily capacity in thousand m3",
    ),
    "max_daily_taken_thousand_m3": ("nejvyšší plynárenský den v tis. m³", "highest gas day in thousand m3"),
    "daily_taken_23h_thousand_m3": (
        "plynárenský den s 23 hodinami v tis. m³",
        "gas day of 23 hours in thousand m3",
    ),
    "daily_taken_25h_thousand_m3": (
        "plynárenský den s 25 hodinami v tis. m³",
        "gas day of 25 hours in thousand m3",
    ),
    "unmetered_w": ("instalovaný příkon ve W", "installed power in W"),
    "shared_energy_mwh": ("sdílená energie v MWh", "shared energy in MWh"),
}
"""What each quantity that a rule may name is called, in Czech and English."""

_INPUT_WORDS: Mapping[str, tuple[str, str]] = {
    "months": ("doba", "time"),
    "loss_coefficient": ("koeficient ztrát transformátoru", "coefficient of transformer losses"),
    "breaker": ("jistič", "breaker"),
    "band": ("pásmo", "band"),
    "multiplier": ("násobek", "multiplier"),
    "maximum_kw": ("maximum v kW", "maximum in kW"),
    "reserved_kw": ("sjednáno v kW", "agreed in kW"),
    "maximum_thousand_m3": ("nejvyšší plynárenský den v tis. m³", "highest gas day in thousand m3"),
    "reserved_thousand_m3": ("sjednáno na ten den v tis. m³", "agreed for that day in thousand m3"),
    "hours": ("hodin toho dne", "hours of that day"),
    "tangent": ("tg φ", "tg phi"),
    "surcharge_percent": ("přirážka v %", "surcharge in %"),
    "base": ("základ v Kč", "base in CZK"),
    "tariff": ("tarif", "tariff"),
    "storage_coefficient": ("koeficient akumulace", "storage coefficient"),
    "volume_m3": ("objem v m³", "volume in m3"),
    "volume_coefficient": ("objemový koeficient", "volume coefficient"),
    "calorific_value_kwh_m3": ("spalné teplo v kWh/m³", "calorific value in kWh/m3"),
    "installed_w": ("instalovaný příkon ve W", "installed power in W"),
    "started_units": ("započaté jednotky", "started units"),
    "capped": ("účtován strop podle energie", "billed by the cap on energy"),
    "split": ("rozděleno mezi plátce", "split between payers"),
}
_SOURCE_WORDS: Mapping[str, tuple[str, str]] = {
    "profile": ("profil", "profile"),
    "state": ("stav", "state"),
    "sharing": ("sdílení", "sharing"),
}
_UNITS_EN = {"měs": "month", "tis. m³": "thousand m3", "Kč": "CZK"}


@dataclass(frozen=True, slots=True)
class Explained:
    """One basis with what its run kept of it; `profiles` are the pinned versions by channel, day by day.

    Nothing of a run is there for a basis made by hand: then what was written by hand is all there is to say.
    """

    rate: int
    component: str
    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    amount: Decimal
    valid: tuple[datetime, datetime]
    why: Mapping[str, Any]
    measurements: Sequence[Mapping[str, Any]]
    package: str | None = None
    quantities: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] | None = None
    facts_digest: str | None = None
    profiles: Sequence[Mapping[str, Any]] = ()


def explain(basis: Explained) -> dict[str, Any]:
    """The basis as structure (formula, rule, price, inputs with source and version) and as text in both languages."""
    why = basis.why
    return {
        "rate": basis.rate,
        "component": basis.component,
        "name": {"cs": basis.name, "en": why.get("rule", {}).get("name_en", basis.name)},
        "quantity": format(basis.quantity, "f"),
        "unit": basis.unit,
        "unit_price": format(basis.unit_price, "f"),
        "price_unit": basis.price_unit,
        "amount": format(basis.amount, "f"),
        "from": _local_day(basis.valid[0]).isoformat(),
        "to": _local_day(basis.valid[1]).isoformat(),
        "formula": _formula(why),
        "rule": {"package": basis.package, **why.get("rule", {})},
        "price": why.get("price"),
        "inputs": _inputs(basis),
        "terms": {name: why[name] for name in (*_INPUT_WORDS, "sums", "prices") if name in why},
        "rounding": why.get("rounding", {}),
        "mark": why.get("mark"),
        "assumptions": why.get("assumptions", []),
        "registry": basis.facts_digest,
        "text": {language: _text(basis, language) for language in LANGUAGES},
    }


def _formula(why: Mapping[str, Any]) -> dict[str, Any] | None:
    name = why.get("formula")
    if name is None:
        return None
    cs, en = FORMULA_WORDS.get(str(name), (str(name), str(name)))
    return {"name": name, "parameters": why.get("parameters", {}), "text": {"cs": cs, "en": en}}


def _inputs(basis: Explained) -> list[dict[str, Any]]:
    """Every quantity that the rule names, its value, and where it is from: measured with versions, or agreed."""
    named = {
        name
        for value in basis.why.get("parameters", {}).values()
        for name in str(value).split("+")
        if name in QUANTITIES
    }
    found: list[dict[str, Any]] = []
    for name in sorted(named):
        measured = (basis.quantities or {}).get(name)
        if measured is not None:
            found.append({"name": name, "value": measured, "kind": "measured", "sources": _sources(basis)})
            continue
        agreed = (basis.facts or {}).get("item", {}).get(name)
        if agreed is not None:
            contract = (basis.facts or {}).get("contract", {}).get("number")
            source = {"kind": "contract", "contract": contract, "registry": basis.facts_digest}
            found.append({"name": name, "value": agreed, "kind": "agreed", "sources": [source]})
    return found


def _sources(basis: Explained) -> list[dict[str, Any]]:
    """The measurements of the line; of a profile the lowest and highest version of its days."""
    pinned = {entry["channel"]: entry["versions"] for entry in basis.profiles}
    sources = []
    for source in basis.measurements:
        versions = [version for version in pinned.get(source.get("channel"), ()) if version is not None]
        told = {"versions": [min(versions), max(versions)]} if versions and source["kind"] == "profile" else {}
        sources.append({**source, **told})
    return sources


def _text(basis: Explained, language: str) -> str:
    in_czech = language == "cs"
    why = basis.why
    name = basis.name if in_czech else why.get("rule", {}).get("name_en", basis.name)
    first, last = _local_day(basis.valid[0]), _local_day(basis.valid[1]) - timedelta(days=1)
    rate = "sazba" if in_czech else "rate"
    until = "až" if in_czech else "to"
    sentences = [f"{name} ({rate} {basis.rate}), {_day(first, in_czech)} {until} {_day(last, in_czech)}."]
    formula = _formula(why)
    if formula is None:
        return " ".join([*sentences, str(why.get("text", "")), _price(why, in_czech)]).strip()
    sentences.append(f"{'Výpočet' if in_czech else 'Formula'}: {formula['text'][language]}.")
    sentences.append(_computed(basis, in_czech))
    sentences.append(_price(why, in_czech))
    inputs = [
        f"{_quantity(entry['name'], in_czech)} {_number(entry['value'], in_czech)} ({_origin(entry, in_czech)})"
        for entry in _inputs(basis)
    ]
    inputs += [
        f"{words[0] if in_czech else words[1]} {_number(why[key], in_czech)}"
        for key, words in _INPUT_WORDS.items()
        if key in why
    ]
    if inputs:
        sentences.append(f"{'Vstupy' if in_czech else 'Inputs'}: {'; '.join(inputs)}.")
    sentences += [str(entry.get("text" if in_czech else "text_en", "")) for entry in why.get("assumptions", ())]
    return " ".join(sentence for sentence in sentences if sentence)


def _computed(basis: Explained, in_czech: bool) -> str:
    numbers = [format(value, "f") for value in (basis.quantity, basis.unit_price, basis.amount)]
    quantity, price, amount = (_number(value, in_czech) for value in numbers)
    if in_czech:
        return f"{quantity} {basis.unit} × {price} {basis.price_unit} = {amount} Kč."
    unit = _UNITS_EN.get(basis.unit, basis.unit)
    price_unit = "/".join(_UNITS_EN.get(part, part) for part in basis.price_unit.replace("měs", "month").split("/"))
    return f"{quantity} {unit} x {price} {price_unit} = {amount} CZK."


def _price(why: Mapping[str, Any], in_czech: bool) -> str:
    """The price with its decision and the rule; an own price list has no rule of a package and no mark."""
    price, rule = why.get("price"), why.get("rule")
    if price is None:
        return ""
    mark = price.get("mark")
    if in_czech:
        value = f"{czech(price['value'])} {czech_unit(price['unit'])}"
        text = f"Cena {value}: {price['source']}{f' ({mark_word(mark)})' if mark else ''}."
        return f"{text} Pravidlo: {rule['source']}, balíček {rule['package']}." if rule else text
    text = f"Price {price['value']} {price['unit']}: {price['source']}{f' ({mark})' if mark else ''}."
    return f"{text} Rule: {rule['source']}, package {rule['package']}." if rule else text


def _origin(entry: Mapping[str, Any], in_czech: bool) -> str:
    if entry["kind"] == "agreed":
        return f"{'smlouva' if in_czech else 'contract'} {entry['sources'][0]['contract']}"
    told = []
    for source in entry["sources"]:
        word = _SOURCE_WORDS[source["kind"]][0 if in_czech else 1]
        text = f"{word} {source.get('direction') or source.get('group', '')}".strip()
        if "versions" in source:
            low, high = source["versions"]
            text += f", {'verze' if in_czech else 'version'} {low if low == high else f'{low}-{high}'}"
        told.append(text)
    return ", ".join(dict.fromkeys(told)) or ("změřeno" if in_czech else "measured")


def _quantity(name: str, in_czech: bool) -> str:
    return QUANTITY_WORDS.get(name, (name, name))[0 if in_czech else 1]


def _number(value: object, in_czech: bool) -> str:
    return czech(value) if in_czech else str(value)


def _local_day(at: datetime) -> date:
    return at.astimezone(PRAGUE).date()


def _day(day: date, in_czech: bool) -> str:
    return f"{day.day}. {day.month}. {day.year}" if in_czech else day.isoformat()
