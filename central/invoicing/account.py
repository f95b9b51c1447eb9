"""Czech bank accounts: IBAN to the domestic form and back."""

from dataclasses import dataclass

BANKS: dict[str, tuple[str, str]] = {
    "0100": ("Komerční banka, a.s.", "KOMBCZPP"),
    "0300": ("Československá obchodní banka, a. s.", "CEKOCZPP"),
    "0600": ("MONETA Money Bank, a.s.", "AGBACZPP"),
    "0800": ("Česká spořitelna, a.s.", "GIBACZPX"),
    "2010": ("Fio banka, a.s.", "FIOBCZPP"),
    "2700": ("UniCredit Bank Czech Republic and Slovakia, a.s.", "BACXCZPP"),
    "3030": ("Air Bank a.s.", "AIRACZPP"),
    "5500": ("Raiffeisenbank a.s.", "RZBCCZPP"),
}
"""Bank code -> name and BIC of the banks that most accounts are kept at; others are printed by code."""


class AccountError(ValueError):
    """An account number or IBAN that does not hold together."""


@dataclass(frozen=True, slots=True)
class Account:
    """A domestic account: `number` with its prefix ("19-123"), bank code, IBAN."""

    number: str
    bank_code: str
    iban: str

    @property
    def domestic(self) -> str:
        """As printed on an invoice: 19-123/0800."""
        return f"{self.number}/{self.bank_code}"

    @property
    def bank_name(self) -> str:
        return BANKS.get(self.bank_code, ("", ""))[0]

    @property
    def bic(self) -> str:
        return BANKS.get(self.bank_code, ("", ""))[1]


def parse_iban(text: str) -> Account:
    """A Czech IBAN, checked by its check digits (ISO 13616). Raises AccountError."""
    iban = text.replace(" ", "").upper()
    if len(iban) != 24 or not iban.startswith("CZ") or not iban[2:].isdigit():
        raise AccountError(f"The IBAN {text} is not Czech: CZ and 22 digits are expected.")
    if _check_digits(iban[4:]) != iban[2:4]:
        raise AccountError(f"The IBAN {text} has check digits {iban[2:4]}; {_check_digits(iban[4:])} belong to it.")
    prefix, number = iban[8:14].lstrip("0"), iban[14:].lstrip("0")
    return Account(number=f"{prefix}-{number}" if prefix else number, bank_code=iban[4:8], iban=iban)


def iban_of(domestic: str) -> str:
    """The IBAN of a domestic account such as 19-123/0800. Raises AccountError."""
    account, slash, bank = domestic.strip().partition("/")
    prefix, dash, number = account.rpartition("-")
    parts = (prefix or "0", number, bank)
    if not slash or (dash and not prefix) or not all(part.isdigit() for part in parts) or len(bank) != 4:
        raise AccountError(f"The account {domestic} is not in the form prefix-number/bank code, such as 19-123/0800.")
    bban = f"{bank}{int(parts[0]):06d}{int(number):010d}"
    return iban_of_bban(bban)


def iban_of_bban(bban: str) -> str:
    """The Czech IBAN of 20 digits: bank code, prefix, number."""
    return f"CZ{_check_digits(bban)}{bban}"


def _check_digits(bban: str) -> str:
    # C = 12, Z = 35, then the place of the check digits
    return f"{98 - int(bban + '123500') % 97:02d}"
