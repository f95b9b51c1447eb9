"""The market operator's public service: questions and answers, made up after its description (no captures)."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from lxml import etree

from central.platform.errors import BadInput
from central.platform.external.values import Value
from central.workflow.external import ote_day_ahead, ote_gas, ote_imbalance, ote_participants
from central.workflow.external.adapter import Days, NoParameters, Part, UnreadableError
from central.workflow.external.ote_soap import begins

PUBLIC = "http://www.ote-cr.cz/schema/service/public"
TODAY = date(2026, 3, 2)
QUARTERLY = ote_day_ahead.Settings()


def answer(operation: str, *items: str, item: str = "Item", prefix: str = "") -> bytes:
    inner = "".join(f"<{prefix}{item}>{each}</{prefix}{item}>" for each in items)
    name = f"xmlns{':' + prefix[:-1] if prefix else ''}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>'
        f'<{prefix}{operation}Response {name}="{PUBLIC}"><{prefix}Result>{inner}</{prefix}Result>'
        f"</{prefix}{operation}Response></S:Body></S:Envelope>"
    ).encode()


def quarter(day: str, index: int, price: str = "85.10", rest: str = "<VolumeTotal>1234.500</VolumeTotal>") -> str:
    return (
        f"<Date>{day}</Date><PeriodResolution>PT15M</PeriodResolution><PeriodIndex>{index}</PeriodIndex>"
        f"<PeriodInterval>00:00-00:15</PeriodInterval><Price>{price}</Price>{rest}"
    )


def asked(part: Part) -> dict[str, str]:
    root = etree.fromstring(part.body or b"")
    call = root[1][0]
    return {"": etree.QName(call).localname, **{etree.QName(each).localname: each.text or "" for each in call}}


def test_questions_are_cut_at_the_switch_of_services_and_at_31_days() -> None:
    days = Days(date(2025, 8, 25), date(2025, 10, 2))
    parts = ote_day_ahead.parts(ote_day_ahead.Settings(currency_before="CZK"), days, date(2026, 1, 1))
    assert [list(asked(part).values()) for part in parts] == [
        ["GetDamPriceE", "2025-08-25", "2025-09-24", "false"],
        ["GetDamPriceE", "2025-09-25", "2025-09-30", "false"],
        ["GetDamPricePeriodE", "2025-10-01", "2025-10-02", "PT15M"],
    ]
    assert parts[2].headers["SOAPAction"] == f'"{PUBLIC}/GetDamPricePeriodE"'
    assert len({part.name for part in parts}) == 3
    imbalances = ote_imbalance.parts(ote_imbalance.Settings(2), Days(date(2024, 6, 30), date(2024, 7, 1)), TODAY)
    assert [list(asked(part).values()) for part in imbalances] == [
        ["GetImbalanceSettlementE", "2", "2024-06-30", "2024-06-30"],
        ["GetImbalanceSettlementPeriodE", "2", "2024-07-01", "2024-07-01"],
    ]
    assert asked(ote_participants.parts(ote_participants.Settings(), NoParameters(), TODAY)[0]) == {"": "GetRutList"}


def test_without_days_the_settings_say_which() -> None:
    parts = ote_day_ahead.parts(QUARTERLY, Days(), date(2026, 3, 2))
    assert [list(asked(part).values())[1:3] for part in parts] == [["2026-03-01", "2026-03-03"]]
    gas = ote_gas.parts(ote_gas.Settings(days_back=2), Days(), date(2026, 3, 2))
    assert [list(asked(part).values()) for part in gas] == [["GetImPriceG", "2026-02-28", "2026-03-02"]]


@pytest.mark.parametrize(
    ("day", "index", "resolution", "instant"),
    [
        (date(2025, 10, 1), 1, "PT15M", datetime(2025, 9, 30, 22, 0, tzinfo=UTC)),
        (date(2025, 10, 1), 96, "PT15M", datetime(2025, 10, 1, 21, 45, tzinfo=UTC)),
        (date(2025, 10, 26), 100, "PT15M", datetime(2025, 10, 26, 22, 45, tzinfo=UTC)),
        (date(2025, 10, 26), 9, "PT15M", datetime(2025, 10, 26, 0, 0, tzinfo=UTC)),
        (date(2025, 10, 26), 13, "PT15M", datetime(2025, 10, 26, 1, 0, tzinfo=UTC)),
        (date(2026, 3, 29), 9, "PT15M", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        (date(2026, 3, 29), 92, "PT15M", datetime(2026, 3, 29, 21, 45, tzinfo=UTC)),
        (date(2025, 3, 30), 23, "PT60M", datetime(2025, 3, 30, 21, 0, tzinfo=UTC)),
        (date(2024, 10, 27), 25, "PT60M", datetime(2024, 10, 27, 22, 0, tzinfo=UTC)),
    ],
)
def test_indexes_of_long_and_short_days(day: date, index: int, resolution: str, instant: datetime) -> None:
    assert begins(day, index, resolution) == instant


@pytest.mark.parametrize(
    ("day", "index", "resolution"),
    [
        (date(2025, 10, 1), 97, "PT15M"),
        (date(2025, 10, 1), 0, "PT15M"),
        (date(2026, 3, 29), 93, "PT15M"),
        (date(2025, 10, 26), 101, "PT15M"),
        (date(2025, 3, 30), 24, "PT60M"),
        (date(2025, 10, 1), 1, "PT30M"),
    ],
)
def test_indexes_that_a_day_does_not_have(day: date, index: int, resolution: str) -> None:
    with pytest.raises(UnreadableError):
        begins(day, index, resolution)


@pytest.mark.parametrize("prefix", ["", "p:"])
def test_quarter_hours_are_read_by_local_names_and_equal_doubles_once(prefix: str) -> None:
    item = quarter("2025-10-01", 2).replace("<", f"<{prefix}").replace(f"<{prefix}/", f"</{prefix}")
    read = ote_day_ahead.read(answer("GetDamPricePeriodE", item, item, prefix=prefix), QUARTERLY)
    content = {"price": Decimal("85.10"), "volume": Decimal("1234.500"), "emergency": False}
    at = datetime(2025, 9, 30, 22, 15, tzinfo=UTC)
    assert read == [Value("ote.day-ahead.PT15M.EUR", "2025-10-01/002", content, at)]


def test_hours_before_the_switch_and_of_the_new_service() -> None:
    settings = ote_day_ahead.Settings(currency_before="CZK")
    old = "<Date>2025-09-30</Date><Hour>24</Hour><Price>-12.00</Price><Volume>10.1</Volume>"
    (value,) = ote_day_ahead.read(answer("GetDamPriceE", old), settings)
    assert (value.series, value.key, value.content["price"]) == (
        "ote.day-ahead.PT60M.CZK",
        "2025-09-30/024",
        Decimal("-12.00"),
    )
    new = (
        "<Date>2025-10-01</Date><PeriodResolution>PT60M</PeriodResolution><PeriodIndex>1</PeriodIndex>"
        "<HourlyPrice>90</HourlyPrice>"
    )
    (value,) = ote_day_ahead.read(answer("GetDamPricePeriodE", new), settings)
    assert value.series == "ote.day-ahead.PT60M.EUR"
    assert value.content == {"price": Decimal(90), "volume": None, "emergency": False}


def test_a_quarter_hour_keeps_the_price_of_its_hour_beside_its_own() -> None:
    rest = "<HourlyPrice>91.25</HourlyPrice><VolumeTotal>10</VolumeTotal>"
    (value,) = ote_day_ahead.read(answer("GetDamPricePeriodE", quarter("2025-10-01", 1, "-85.10", rest)), QUARTERLY)
    assert value.content == {
        "price": Decimal("-85.10"),
        "hourly_price": Decimal("91.25"),
        "volume": Decimal(10),
        "emergency": False,
    }


def test_an_emergency_has_no_price_and_a_day_without_data_no_items() -> None:
    item = quarter("2025-10-01", 1).replace("<Price>85.10</Price>", "<EmergencyState>1</EmergencyState>")
    (value,) = ote_day_ahead.read(answer("GetDamPricePeriodE", item), QUARTERLY)
    assert (value.content["price"], value.content["emergency"]) == (None, True)
    old = "<Date>2025-09-30</Date><Hour>1</Hour><Emerg>1</Emerg>"
    (value,) = ote_day_ahead.read(answer("GetDamPriceE", old), QUARTERLY)
    assert (value.content["price"], value.content["emergency"]) == (None, True)
    assert ote_day_ahead.read(answer("GetDamPricePeriodE"), QUARTERLY) == []


@pytest.mark.parametrize("spelling", ["IndexOTE", "IndexOte"])
def test_gas_takes_both_spellings_of_the_index(spelling: str) -> None:
    item = (
        "<Date>2026-03-28</Date><Price>31.05</Price><Volume>900.1</Volume><MinPrice>30</MinPrice>"
        f"<MaxPrice>32</MaxPrice><{spelling}>31.17</{spelling}>"
    )
    (value,) = ote_gas.read(answer("GetImPriceG", item), ote_gas.Settings())
    assert (value.key, value.content["index"]) == ("2026-03-28", Decimal("31.17"))
    assert value.begins == datetime(2026, 3, 28, 5, 0, tzinfo=UTC)


def test_imbalances_of_both_services() -> None:
    rest = "<SystemImbalance>-12.5</SystemImbalance><SettlImbalancePrice>2350.00</SettlImbalancePrice>"
    old = f"<Version>1</Version><Date>2024-06-30</Date><Hour>1</Hour>{rest}"
    new = (
        f"<Version>0</Version><Date>2024-07-01</Date><PeriodResolution>PT15M</PeriodResolution>"
        f"<PeriodIndex>96</PeriodIndex>{rest}<Emerg>0</Emerg>"
    )
    (hour,) = ote_imbalance.read(answer("GetImbalanceSettlementE", old), ote_imbalance.Settings())
    (period,) = ote_imbalance.read(answer("GetImbalanceSettlementPeriodE", new), ote_imbalance.Settings())
    assert (hour.series, hour.key) == ("ote.imbalance.monthly.PT60M", "2024-06-30/001")
    assert (period.series, period.key) == ("ote.imbalance.daily.PT15M", "2024-07-01/096")
    assert period.content == {
        "system_imbalance": Decimal("-12.5"),
        "price": Decimal("2350.00"),
        "emergency": False,
    }


def test_participants_keep_what_is_unknown() -> None:
    item = (
        "<Id>17</Id><Ean>8591824000007</Ean><VatNo>CZ00000019</VatNo><Company>Lokální síť s.r.o.</Company>"
        "<DamElectricityValidityFrom>2020-01-01</DamElectricityValidityFrom>"
    )
    (value,) = ote_participants.read(answer("GetRutList", item, item="Rut"), ote_participants.Settings())
    assert (value.series, value.key, value.begins) == ("ote.participant", "17", None)
    assert value.content == {
        "id": "17",
        "ean": "8591824000007",
        "vat_number": "CZ00000019",
        "name": "Lokální síť s.r.o.",
        "DamElectricityValidityFrom": "2020-01-01",
    }


FAULT = (
    b'<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Body><SOAP-ENV:Fault>'
    b"<faultcode>SOAP-ENV:Client</faultcode><faultstring>Date range too long</faultstring></SOAP-ENV:Fault>"
    b"</SOAP-ENV:Body></SOAP-ENV:Envelope>"
)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (FAULT, "Date range too long"),
        (b"<!DOCTYPE html><html><body>Odstavka</body></html>", "not XML"),
        (b"<html><body>Odstavka</body></html>", "no SOAP envelope"),
        (b"", "not XML"),
        (b"\xff\xfe<\0E\0", "not XML"),
        (answer("GetDamPricePeriodE", quarter("2025-10-01", 1))[:-30], "not XML"),
        (answer("GetImPriceG"), "GetImPriceG"),
        (answer("GetDamPricePeriodE", quarter("2025-10-01", 97)), "1 to 96"),
        (answer("GetDamPricePeriodE", quarter("2026-03-29", 93)), "1 to 92"),
        (answer("GetDamPricePeriodE", quarter("2025-13-01", 1)), "not a day"),
        (answer("GetDamPricePeriodE", quarter("2025-10-01", 1, "85,10")), "not a number"),
        (answer("GetDamPricePeriodE", quarter("2025-10-01", 1, "NaN")), "not a number"),
        (answer("GetDamPricePeriodE", quarter("2025-10-01", 1, "1e999999999")), "not a number"),
        (answer("GetDamPricePeriodE", "<Date>2025-10-01</Date>"), "no PeriodResolution"),
        *(
            (answer("GetDamPricePeriodE", quarter("2025-10-01", index)), "not a whole number")  # type: ignore[arg-type]  # texts, to be refused
            for index in ("x1", "1.0", "-1", "\u0661", "0000000001")
        ),
        (
            answer("GetDamPricePeriodE", quarter("2025-10-01", 1), quarter("2025-10-01", 1, "85.11")),
            "comes twice",
        ),
        (
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Envelope>&x;</Envelope>',
            "document type declaration",
        ),
        (b"<a>" * 50 + b"</a>" * 50, "deeper"),
        (b"<a>" + b" " * 20_000_001 + b"</a>", "at most"),
    ],
)
def test_what_is_no_answer_is_unreadable_with_a_sentence(octets: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        ote_day_ahead.read(octets, QUARTERLY)


def test_a_register_without_participants_is_no_register() -> None:
    with pytest.raises(UnreadableError):
        ote_participants.read(answer("GetRutList", item="Rut"), ote_participants.Settings())


@pytest.mark.parametrize(
    "given",
    [
        {"from": "2026-03-01"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"from": "1926-03-02", "to": "2026-03-01"},
        {"from": "2001-01-01", "to": "2026-01-01"},
        {"from": 3, "to": 4},
        {"days": 3},
    ],
)
def test_bad_parameters_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        ote_day_ahead.ADAPTER.parameters_of(given)
