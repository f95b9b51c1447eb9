"""The port through which settlement sees law: prices, bands, rounding and rules, as plain data from the caller.

Legislative packages fit it as they are; settlement does not know them.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol


class PriceValue(Protocol):
    """One value with its unit, the decision it stands in, and how sure it is."""

    @property
    def component(self) -> str: ...
    @property
    def value(self) -> Decimal: ...
    @property
    def unit(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def mark(self) -> str: ...
    @property
    def keys(self) -> Mapping[str, str]: ...
    @property
    def example(self) -> bool: ...


class BreakerPayment(Protocol):
    """The monthly payment in Kč for a breaker, the name of its band, and the price it comes from."""

    @property
    def band(self) -> str: ...
    @property
    def monthly(self) -> Decimal: ...
    @property
    def per_ampere(self) -> bool: ...
    @property
    def price(self) -> PriceValue: ...


class RuleName(Protocol):
    """The name of a component in both languages."""

    @property
    def cs(self) -> str: ...
    @property
    def en(self) -> str: ...


class BillingRule(Protocol):
    """One rule of a package: component, rate code, formula by name and its parameters."""

    @property
    def component(self) -> str: ...
    @property
    def code(self) -> int | None: ...
    @property
    def name(self) -> RuleName: ...
    @property
    def formula(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, str]: ...
    @property
    def group(self) -> str | None: ...


class PriceBook(Protocol):
    """What a settlement asks of a legislative package."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def checksum(self) -> str: ...
    @property
    def example(self) -> bool: ...
    @property
    def valid(self) -> tuple[date, date]: ...

    def find_price(
        self,
        component: str,
        day: date,
        *,
        operator: str | None = None,
        level: str | None = None,
        rate: str | None = None,
        band: str | None = None,
    ) -> PriceValue | None: ...

    def breaker_price(
        self, rate: str, operator: str, phases: int, amperes: Decimal, day: date
    ) -> BreakerPayment | None: ...

    def consumption_band(self, operator: str, annual_mwh: Decimal) -> str | None: ...

    def rate_registers(self, rate: str) -> Sequence[str] | None: ...

    def rules(self, level: str | None, registers: Sequence[str] = ()) -> Sequence[BillingRule]: ...

    def takes_only_higher(self, group: str) -> bool: ...

    def rounding_step(self, kind: str) -> Decimal: ...
