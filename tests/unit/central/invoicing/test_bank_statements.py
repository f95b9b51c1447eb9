"""Bank statements by the published layouts: what is read, and what is refused with the place named."""

from datetime import date
from decimal import Decimal

import pytest

from central.invoicing.account import iban_of
from central.invoicing.payments.abo import read_abo
from central.invoicing.payments.booking import read_statements
from central.invoicing.payments.camt import read_camt
from central.invoicing.payments.statement import symbol
from central.platform.errors import BadInput

# By the columns that banks publish: 074 with balances 1 000.00 and 2 190.00, 075 credit, 078, 075 debit.
ABO = (
    "0740000190000123457AREAL ENERGIE       150326" + "00000000100000+" + "00000000219000+" + "000000000020000"
    "000000001210000" + "012160326" + " " * 14 + "\r\n"
    "0750000190000123457" + "0000002000145399" + "0000000000777" + "000000121000" + "2" + "2600000001" + "00" + "0800"
    "0308" + "0000000042" + "160326" + "JAN NOVÁK           " + "0" + "0203" + "160326" + "\r\n"
    "078faktura 2600000001\r\n"
    "0750000190000123457" + "0000000000000000" + "0000000000778" + "000000002000" + "1" + "0000000000" + "00" + "0000"
    "0000" + "0000000000" + "160326" + " " * 20 + "0" + "0203" + "160326" + "\r\n"
)  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1250", "cp852", "utf-8"])
def test_abo_is_read_in_each_encoding(encoding: str) -> None:
    (statement,) = read_abo(ABO.encode(encoding))
    assert (statement.account, statement.number, statement.last_day) == ("0000190000123457", "12", date(2026, 3, 16))
    assert (statement.old_balance, statement.new_balance) == (Decimal("1000.00"), Decimal("2190.00"))
    assert (statement.debit, statement.credit) == (Decimal("20.00"), Decimal("1210.00"))
    first, second = statement.items
    assert (first.amount, first.variable_symbol, first.constant_symbol, first.specific_symbol) == (
        Decimal("1210.00"), "2600000001", "308", "42",
    )  # fmt: skip
    assert (first.counter_account, first.counter_name) == (iban_of("2000145399/0800"), "JAN NOVÁK")
    assert (first.message, first.reference, first.currency) == ("faktura 2600000001", "777", "CZK")
    assert (second.amount, second.counter_account, second.variable_symbol) == (Decimal("-20.00"), None, None)
    assert read_statements(ABO.encode(encoding)) == [statement]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("00000000219000+", "00000000219001+", "gives 2190.00, and its new balance is 2190.01"),
        ("000000000020000", "000000000030000", "a debit turnover of 20.00, and it states 30.00"),
        ("0000001210002", "0000001210x02", "Line 2: the amount is '0000001210x0'"),
        ("160326JAN", "320326JAN", "Line 2: the value day is '320326'"),
        ("078faktura", "071faktura", "Line 3 begins with '071'"),
        ("0740000190000123457", "075000019000012345 ", "Line 1 begins with '075'"),
    ],
)  # fmt: skip
def test_abo_that_cannot_be_is_refused_with_the_place(old: str, new: str, told: str) -> None:
    assert old in ABO
    with pytest.raises(BadInput) as refused:
        content = ABO.replace(old, new, 1).encode("cp1250")
        for_sums = read_abo(content)
        assert for_sums
        read_statements(content)
    assert told in refused.value.message


def camt(version: str, entry: str, closing: str = "1150.00") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<x:Document xmlns:x="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><x:BkToCstmrStmt><x:Stmt><x:Id>A1</x:Id>
<x:ElctrncSeqNb>7</x:ElctrncSeqNb><x:Acct><x:Id><x:IBAN>CZ6508000000192000145399</x:IBAN></x:Id></x:Acct>
<x:Bal><x:Tp><x:CdOrPrtry><x:Cd>PRCD</x:Cd></x:CdOrPrtry></x:Tp><x:Amt Ccy="CZK">1000</x:Amt>
<x:CdtDbtInd>CRDT</x:CdtDbtInd><x:Dt><x:Dt>2026-03-15</x:Dt></x:Dt></x:Bal>
<x:Bal><x:Tp><x:CdOrPrtry><x:Cd>CLBD</x:Cd></x:CdOrPrtry></x:Tp><x:Amt Ccy="CZK">{closing}</x:Amt>
<x:CdtDbtInd>CRDT</x:CdtDbtInd><x:Dt><x:DtTm>2026-03-16T23:59:59+01:00</x:DtTm></x:Dt></x:Bal>
{entry}</x:Stmt></x:BkToCstmrStmt></x:Document>""".encode()


BATCH = """<x:Ntry><x:Amt Ccy="CZK">150.00</x:Amt><x:CdtDbtInd>CRDT</x:CdtDbtInd><x:Sts>BOOK</x:Sts>
<x:BookgDt><x:Dt>2026-03-16</x:Dt></x:BookgDt><x:AcctSvcrRef>B9</x:AcctSvcrRef><x:NtryDtls>
<x:TxDtls><x:AmtDtls><x:TxAmt><x:Amt Ccy="CZK">100.00</x:Amt></x:TxAmt></x:AmtDtls>
<x:RmtInf><x:Strd><x:CdtrRefInf><x:Ref>VS:0012</x:Ref></x:CdtrRefInf></x:Strd></x:RmtInf></x:TxDtls>
<x:TxDtls><x:AmtDtls><x:TxAmt><x:Amt Ccy="CZK">50.00</x:Amt></x:TxAmt></x:AmtDtls>
<x:RmtInf><x:Ustrd>nájem /VS13/SS5/KS0308</x:Ustrd></x:RmtInf></x:TxDtls></x:NtryDtls></x:Ntry>
<x:Ntry><x:Amt Ccy="CZK">5.00</x:Amt><x:CdtDbtInd>CRDT</x:CdtDbtInd><x:Sts>PDNG</x:Sts></x:Ntry>"""


@pytest.mark.parametrize("version", ["02", "08"])
def test_camt_is_read_by_local_names_and_a_batch_by_its_movements(version: str) -> None:
    (statement,) = read_statements(camt(version, BATCH))
    assert (statement.number, statement.currency, statement.last_day) == ("7", "CZK", date(2026, 3, 16))
    assert [(item.amount, item.variable_symbol, item.specific_symbol, item.reference) for item in statement.items] == [
        (Decimal("100.00"), "12", None, "B9/1"),
        (Decimal("50.00"), "13", "5", "B9/2"),
    ]


def test_only_elements_of_the_message_count_whatever_lies_between_them() -> None:
    between = '<!-- x --><?x y?><y:Amt xmlns:y="urn:y" Ccy="EUR">9.00</y:Amt><Amt Ccy="EUR">9.00</Amt>'
    entry = BATCH.replace("<x:Ntry>", f"<x:Ntry>{between}").replace("<x:TxDtls>", f"<x:TxDtls>{between}")
    assert read_statements(camt("02", entry)) == read_statements(camt("02", BATCH))
    plain = camt("02", BATCH).replace(b'xmlns:x="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"', b"")
    assert read_statements(plain.replace(b"x:", b"")) == read_statements(camt("02", BATCH))


@pytest.mark.parametrize(
    ("account", "read"),
    [
        ("2000145399", iban_of("2000145399/0800")),
        ("19-2000145399", iban_of("19-2000145399/0800")),
        ("0000192000145399", iban_of("19-2000145399/0800")),
        ("19-2000145399/0100", iban_of("19-2000145399/0100")),
        ("DE89370400440532013000", "DE89370400440532013000/0800"),
        ("²2000145399", "²2000145399/0800"),
    ],
)
def test_an_account_without_its_iban_is_the_same_as_in_the_other_form(account: str, read: str) -> None:
    entry = f"""<x:Ntry><x:Amt Ccy="CZK">150.00</x:Amt><x:CdtDbtInd>CRDT</x:CdtDbtInd><x:Sts>BOOK</x:Sts>
<x:BookgDt><x:Dt>2026-03-16</x:Dt></x:BookgDt><x:NtryDtls><x:TxDtls><x:RltdPties><x:DbtrAcct><x:Id><x:Othr>
<x:Id>{account}</x:Id></x:Othr></x:Id></x:DbtrAcct></x:RltdPties><x:RltdAgts><x:DbtrAgt><x:FinInstnId><x:Othr>
<x:Id>0800</x:Id></x:Othr></x:FinInstnId></x:DbtrAgt></x:RltdAgts></x:TxDtls></x:NtryDtls></x:Ntry>"""
    (statement,) = read_statements(camt("02", entry))
    assert statement.items[0].counter_account == read


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (camt("02", BATCH.replace("50.00", "49.00")), "statement_sum"),
        (camt("02", BATCH, closing="1151.00"), "statement_sum"),
        (camt("02", BATCH.replace('Ccy="CZK">150', 'Ccy="kč">150')), "camt_field"),
        (camt("02", BATCH.replace("150.00", "1e999999")), "camt_field"),
        (camt("02", BATCH.replace("2026-03-16", "16. 3. 2026")), "camt_field"),
        (camt("02", "").replace(b"PRCD", b"XXXX"), "camt_field"),
        (b"<a><b/></a>", "camt_root"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><Document/>', "camt_doctype"),
        (b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><Document>&d;</Document>', "camt_doctype"),
        (b"<Document></Document>", "camt_empty"),
        (b"<Document>" * 300 + b"</Document>" * 300, "camt_xml"),
    ],
)
def test_camt_that_cannot_be_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_statements(content) and read_camt(content)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "read"), [("0000000042", "42"), ("0", None), ("", None), ("12a", None), ("٣", None), ("12345678901", None)]
)
def test_symbols_have_no_leading_zeros(text: str, read: str | None) -> None:
    assert symbol(text) == read


CHARGED = """<x:Ntry><x:Amt Ccy="CZK">145.00</x:Amt><x:CdtDbtInd>CRDT</x:CdtDbtInd><x:Sts>BOOK</x:Sts>
<x:BookgDt><x:Dt>2026-03-16</x:Dt></x:BookgDt><x:AcctSvcrRef>C1</x:AcctSvcrRef><x:NtryDtls><x:TxDtls>
<x:AmtDtls><x:TxAmt><x:Amt Ccy="CZK">150.00</x:Amt></x:TxAmt></x:AmtDtls><x:Chrgs>{}</x:Chrgs>
<x:RmtInf><x:Ustrd>VS:12</x:Ustrd></x:RmtInf></x:TxDtls></x:NtryDtls></x:Ntry>
<x:Ntry><x:Amt Ccy="CZK">7.00</x:Amt><x:CdtDbtInd>CRDT</x:CdtDbtInd><x:Sts>PDNG</x:Sts></x:Ntry>
<x:Ntry><x:Amt Ccy="CZK">20.00</x:Amt><x:CdtDbtInd>DBIT</x:CdtDbtInd><x:RvslInd>true</x:RvslInd><x:Sts>BOOK</x:Sts>
<x:ValDt><x:Dt>2026-03-17</x:Dt></x:ValDt></x:Ntry>"""
CHARGE = '<x:Amt Ccy="CZK">5.00</x:Amt><x:CdtDbtInd>DBIT</x:CdtDbtInd>'


@pytest.mark.parametrize(("version", "charges"), [("02", CHARGE), ("08", f"<x:Rcrd>{CHARGE}</x:Rcrd>")])
def test_charges_are_no_less_of_the_payment_and_what_is_not_booked_is_counted(version: str, charges: str) -> None:
    (statement,) = read_statements(camt(version, CHARGED.format(charges), closing="1125.00"))
    assert [(item.amount, item.variable_symbol, item.reversal) for item in statement.items] == [
        (Decimal("150.00"), "12", False), (Decimal("-5.00"), None, False), (Decimal("-20.00"), None, True),
    ]  # fmt: skip
    assert [item.place for item in statement.items] == [1, 2, 3]
    assert statement.pending == 1


def test_charges_that_are_not_in_the_amount_change_nothing() -> None:
    entry = CHARGED.format(CHARGE).replace(">145.00", ">150.00")
    (statement,) = read_statements(camt("02", entry, closing="1130.00"))
    assert [item.amount for item in statement.items] == [Decimal("150.00"), Decimal("-20.00")]


def test_a_file_has_several_statements_each_with_its_own_movements() -> None:
    whole = camt("08", BATCH).decode()
    one = whole[whole.index("<x:Stmt>") : whole.index("</x:Stmt>") + len("</x:Stmt>")]
    first, second = read_statements(whole.replace(one, one + one.replace(">7<", ">8<")).encode())
    assert (first.number, second.number) == ("7", "8")
    assert [item.place for item in first.items] == [item.place for item in second.items] == [1, 2]


@pytest.mark.parametrize(
    ("code", "amount", "reversal"), [("1", -20, False), ("2", 20, False), ("4", 20, True), ("5", -20, True)]
)
def test_accounting_codes_of_abo(code: str, amount: int, reversal: bool) -> None:
    changed = ABO.replace("0000000020001", f"000000002000{code}")
    item = read_abo(changed.encode("cp1250"))[0].items[1]
    assert (item.amount, item.reversal) == (Decimal(amount), reversal)
