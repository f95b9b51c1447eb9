"""Money over items, orders for the bank, penalties: the pure parts of payments."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from central.invoicing.account import iban_of
from central.invoicing.payments.letters import qr_payment
from central.invoicing.payments.orders import PAIN, Order, OrderItem, write_kpc, write_pain
from central.invoicing.payments.receivables import in_turn
from central.invoicing.payments.reminders import penalty
from central.invoicing.payments.spreading import Due, net, spread

DAY = date(2026, 3, 1)
amounts = st.decimals(min_value="0.01", max_value="9999.99", places=2)
dues = st.lists(st.tuples(st.integers(0, 50), amounts), max_size=12).map(
    lambda rows: [Due(place, DAY + timedelta(days=days), rest) for place, (days, rest) in enumerate(rows)]
)


@given(amounts, dues)
def test_what_is_spread_and_what_is_left_is_the_money(money: Decimal, items: list[Due]) -> None:
    parts, left = spread(money, items)
    rests = {item.id: item for item in items}
    assert sum(part for _, part in parts) + left == money
    assert all(0 < part <= rests[item].rest for item, part in parts)
    # Only the last item that got something may be paid in part, and money is left only when all are paid.
    assert all(part == rests[item].rest for item, part in parts[:-1])
    assert left == 0 or sum(item.rest for item in items) == money - left
    order = [(rests[item].due, item) for item, _ in parts]
    assert order == sorted(order)


@given(dues, dues)
def test_a_set_off_ends_when_one_side_is_used_up(credits_: list[Due], debts: list[Due]) -> None:
    parts = net(credits_, debts)
    total = sum((part for _, _, part in parts), Decimal(0))
    assert total == min(sum((c.rest for c in credits_), Decimal(0)), sum((d.rest for d in debts), Decimal(0)))
    for side, place in ((credits_, 0), (debts, 1)):
        for item in side:
            assert sum(part for *ids, part in parts if ids[place] == item.id) <= item.rest


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(10, 15)), max_size=20))
def test_no_document_is_settled_twice_in_one_turn(pairs: list[tuple[int, int]]) -> None:
    turns = in_turn(pairs)
    assert sorted(pair for turn in turns for pair in turn) == sorted(pairs)
    for turn in turns:
        documents = [document for pair in turn for document in pair]
        assert len(documents) == len(set(documents)) > 0
    for document in range(16):  # each in the order given
        assert [pair for turn in turns for pair in turn if document in pair] == [p for p in pairs if document in p]


@pytest.mark.parametrize(
    ("rest", "days", "percent", "expected"),
    [("1000.00", 21, "0.05", "10.50"), ("1000.00", 1, "0.0005", "0.01"), ("999.00", 1, "0.0005", "0.00")],
)
def test_a_penalty_is_percent_a_day_rounded_half_up(rest: str, days: int, percent: str, expected: str) -> None:
    assert penalty(Decimal(rest), days, Decimal(percent)) == Decimal(expected)


ORDER = Order(
    "PP26000001",
    iban_of("19-123457/0800"),
    "Areál Energie, s.r.o.",
    date(2026, 3, 23),
    datetime(2026, 3, 20, 9, tzinfo=UTC),
    "CZK",
    [
        OrderItem("VRA26000001", iban_of("2000145399/0800"), "Jan Novák", Decimal("30.00"), "51", "Vratka přeplatku"),
        OrderItem("VRA26000002", iban_of("19-9/0100"), "A & B", Decimal("1234.56"), "2600000001", "<x>"),
    ],
)


def test_an_order_in_the_form_abo() -> None:
    assert write_kpc(ORDER).decode("ascii").split("\r\n") == [
        "UHL1230326AREAL ENERGIE, S.R.O0000000000001999000000000000",
        "1 1501 001000 0800",
        "2 000019-0000123457 126456 230326",
        "000000-2000145399 3000 51 08000000 0 AV:VRATKA PREPLATKU",
        "000019-0000000009 123456 2600000001 01000000 0 AV:<X>",
        "3 +",
        "5 +",
        "",
    ]


def test_an_order_as_pain_001() -> None:
    root = etree.fromstring(write_pain(ORDER))
    spaces = {"p": PAIN}
    assert root.xpath("string(//p:GrpHdr/p:CtrlSum)", namespaces=spaces) == "1264.56"
    assert root.xpath("//p:CdtTrfTxInf/p:Amt/p:InstdAmt/text()", namespaces=spaces) == ["30.00", "1234.56"]
    assert root.xpath("//p:PmtId/p:EndToEndId/text()", namespaces=spaces) == ["/VS51/SS/KS", "/VS2600000001/SS/KS"]
    assert root.xpath("//p:Cdtr/p:Nm/text()", namespaces=spaces) == ["Jan Novák", "A & B"]


SEQUENCES = {
    "CstmrCdtTrfInitn": ["GrpHdr", "PmtInf"],
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"],
    "PmtInf": ["PmtInfId", "PmtMtd", "BtchBookg", "NbOfTxs", "CtrlSum", "PmtTpInf", "ReqdExctnDt", "Dbtr", "DbtrAcct",
               "DbtrAgt", "ChrgBr", "CdtTrfTxInf"],
    "CdtTrfTxInf": ["PmtId", "PmtTpInf", "Amt", "ChrgBr", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"],
    "PmtId": ["InstrId", "EndToEndId"],
    "DbtrAcct": ["Id", "Tp", "Ccy"],
}  # fmt: skip
"""Order of the elements in pain.001.001.03 (ISO 20022 catalogue), as far as they are written."""


def test_the_elements_of_pain_001_stand_in_the_order_of_the_message() -> None:
    nasty = replace(ORDER, items=[replace(ORDER.items[0], name="A\x00B\x1f", message="x" * 200), ORDER.items[1]])
    root = etree.fromstring(write_pain(nasty))
    seen = set()
    for element in root.iter():
        name = etree.QName(element).localname
        if name in SEQUENCES:
            seen.add(name)
            places = [SEQUENCES[name].index(etree.QName(child).localname) for child in element]
            assert places == sorted(places)
    assert seen == set(SEQUENCES)
    texts = {etree.QName(each).localname: each.text or "" for each in root.iter() if not len(each)}
    assert max(len(texts[name]) for name in ("MsgId", "PmtInfId", "InstrId", "EndToEndId")) <= 35
    assert all(len(each.text or "") <= 140 for each in root.iter(f"{{{PAIN}}}Ustrd"))
    assert [each.text for each in root.iter(f"{{{PAIN}}}NbOfTxs")] == ["2", "2"]


def test_a_line_break_in_a_name_makes_no_record_of_an_order() -> None:
    odd = replace(ORDER, name="Firma\r\n1 1501", items=[replace(item, message="a\nb\x07") for item in ORDER.items])
    written = write_kpc(odd).split(b"\r\n")
    assert len(written) == len(write_kpc(ORDER).split(b"\r\n"))
    assert written[0][10:30] == b"FIRMA 1 1501        "
    assert not any(octet < 32 for line in written for octet in line)


@pytest.mark.parametrize(
    ("iban", "amount", "account"),
    [
        ("cz65 0800 0000 1920 0014 5399", "1.00", "CZ6508000000192000145399"),
        ("CZ6508000000192000145399", "9999999999.99", "CZ6508000000192000145399"),
        ("CZ6508000000192000145399", "10000000000.00", None),  # more than a code carries
        ("CZ6508000000192000145399", "0.00", None),
        ("SK3112000000198742637541", "1.00", None),
        ("CZ6608000000192000145399", "1.00", None),  # check digits
        (None, "1.00", None),
    ],
)
def test_a_letter_has_a_payment_code_wherever_one_can_be(iban: str | None, amount: str, account: str | None) -> None:
    code = qr_payment(iban, Decimal(amount), "CZK", date(2026, 5, 1), "2600000001", "UPO26000001")
    assert code == (
        None
        if account is None
        else f"SPD*1.0*ACC:{account}*AM:{amount}*CC:CZK*DT:20260501*MSG:UPO26000001*X-VS:2600000001"
    )
