"""QR payment texts: golden strings, escaping, limits; bank accounts."""

from datetime import date
from decimal import Decimal

import pytest

from central.invoicing.account import AccountError, iban_of, parse_iban
from central.invoicing.spayd import SpaydError, escape, plain, spayd


def test_golden_account_only() -> None:
    assert spayd(iban_of("19-123/0800")) == "SPD*1.0*ACC:CZ2408000000190000000123"


def test_golden_with_alternatives_and_amount() -> None:
    alternatives = [iban_of("19/5500"), iban_of("19/0100")]
    assert spayd(iban_of("19-123/0800"), alternatives=alternatives, amount=Decimal("100.5")) == (
        "SPD*1.0*ACC:CZ2408000000190000000123*ALT-ACC:CZ9755000000000000000019,CZ7301000000000000000019*AM:100.5"
    )


def test_golden_escape() -> None:
    assert escape("abc  123♥☠**123  abc-+ěščřžýáíé---%20") == (
        "abc  123%E2%99%A5%E2%98%A0%2A%2A123  abc-%2B%C4%9B%C5%A1%C4%8D%C5%99%C5%BE%C3%BD%C3%A1%C3%AD%C3%A9---%2520"
    )


def test_a_whole_payment() -> None:
    text = spayd(
        "CZ2408000000190000000123",
        amount=Decimal("159995.50"),
        currency="CZK",
        due=date(2026, 4, 15),
        variable_symbol="2600000001",
        recipient="Energie Vlčí Důl, s.r.o. – žluťoučký kůň úpěl ódy",
        message="FAKTURA 2600000001",
    )
    assert text == (
        "SPD*1.0*ACC:CZ2408000000190000000123*AM:159995.50*CC:CZK*DT:20260415"
        "*RN:ENERGIE VLCI DUL, S.R.O. %E2%80%93 ZLUTOUCK*MSG:FAKTURA 2600000001*X-VS:2600000001"
    )
    assert plain("Žižkov") == "ZIZKOV"


@pytest.mark.parametrize("amount", ["1.234", "-1", "10000000000", "NaN"])
def test_amounts_that_do_not_fit(amount: str) -> None:
    with pytest.raises(SpaydError, match="at most two decimals"):
        spayd("CZ2408000000190000000123", amount=Decimal(amount))


@pytest.mark.parametrize("symbol", ["", "12345678901", "12a"])
def test_symbols_that_do_not_fit(symbol: str) -> None:
    with pytest.raises(SpaydError, match="1 to 10 digits"):
        spayd("CZ2408000000190000000123", variable_symbol=symbol)


@pytest.mark.parametrize("domestic", ["19-123/0800", "2600123457/2010", "1000000005/0100"])
def test_accounts_there_and_back(domestic: str) -> None:
    account = parse_iban(iban_of(domestic))
    assert account.domestic == domestic
    assert account.bank_name
    assert len(account.bic) == 8


@pytest.mark.parametrize(
    ("iban", "sentence"),
    [
        ("CZ2508000000190000000123", "check digits 25; 24 belong to it"),
        ("DE2408000000190000000123", "is not Czech"),
        ("CZ24", "is not Czech"),
    ],
)
def test_wrong_ibans(iban: str, sentence: str) -> None:
    with pytest.raises(AccountError, match=sentence):
        parse_iban(iban)


@pytest.mark.parametrize("domestic", ["123", "-123/0800", "12x/0800", "123/080"])
def test_wrong_domestic_accounts(domestic: str) -> None:
    with pytest.raises(AccountError, match="prefix-number/bank code"):
        iban_of(domestic)
