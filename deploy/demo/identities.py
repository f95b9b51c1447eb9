"""Made-up identities with right check digits, deterministic: no person, firm or supply point of the demo exists."""

from stdnum import iban as stdnum_iban

from shared.identifiers import Ean13, Ean18, Eic, IdentifierError, ean_check_digit, make_ean18, make_eic, parse_ean13

NETWORK = "417"
"""Number of the demo's local network inside the series that OTE assigns to local distribution networks."""


def ico(number: int) -> str:
    """Company number (IČO) of 8 digits with its check digit (weights 8 to 2, modulo 11)."""
    digits = f"{number:07d}"
    rest = sum(int(digit) * weight for digit, weight in zip(digits, range(8, 1, -1), strict=True)) % 11
    return digits + str((11 - rest) % 10)


def participant_ean(number: int) -> Ean13:
    """EAN of a market participant in the series 8591824."""
    digits = f"8591824{number:05d}"
    return parse_ean13(digits + ean_check_digit(digits))


def supply_point_ean(number: int) -> Ean18:
    """EAN of a supply point: 859, 1824, two zeros, 9 (local networks), network, point."""
    return make_ean18(f"859182400{9}{NETWORK}{number:04d}")


def gas_eic(number: int) -> Eic:
    """EIC of a gas supply point in the demo's local network; skips numbers whose check character would be '-'."""
    while True:
        try:
            return make_eic(f"27ZG5{NETWORK[1:]}Z{number:07d}")
        except IdentifierError:
            number += 1


def iban(account: int, bank: str = "2010") -> str:
    """Czech IBAN of an account without prefix."""
    bban = f"{bank}{account:016d}"
    return "CZ" + stdnum_iban.calc_check_digits(f"CZ00{bban}") + bban
