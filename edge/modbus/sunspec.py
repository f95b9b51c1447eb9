"""SunSpec: where a device keeps its models. Pure: says which registers to read next, and is told what stood there.

| state | registers read | next |
|---|---|---|
| looking for the mark at a base address | 4 | "SunS": walking; else the next base, after the last one `SunSpecError` |
| walking: id and length of a model | 2 | the next model, until 0xFFFF: found; `SunSpecError` if the chain breaks |
"""

from dataclasses import dataclass
from typing import Final

BASES: Final = (40_000, 50_000, 0)
MARK: Final = 0x53756E53
COMMON: Final = 1
END: Final = 0xFFFF
MODELS_MOST: Final = 64
"""A chain longer than this is none."""


class SunSpecError(ValueError):
    """The device is no SunSpec device, or not as it says."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a device: its number, the address of its id, and how many registers follow id and length."""

    number: int
    address: int
    length: int


class Discovery:
    """`wanted` is the next read (address, count), None when `models` are complete; `tell` and `refused` go on."""

    def __init__(self) -> None:
        self.models: list[Model] = []
        self._base = 0
        self._place: int | None = None

    @property
    def wanted(self) -> tuple[int, int] | None:
        """Registers to read now."""
        if self._place is None:
            return BASES[self._base], 4
        if self._place < 0:
            return None
        return self._place, 2

    def tell(self, registers: bytes) -> None:
        """What stood there, two octets a register."""
        if self._place is None:
            if int.from_bytes(registers[:4], "big") != MARK:
                self.refused()
                return
            self._place = BASES[self._base] + 2
            registers = registers[4:]
        self._model(int.from_bytes(registers[:2], "big"), int.from_bytes(registers[2:4], "big"))

    def refused(self) -> None:
        """The device does not answer for these registers."""
        if self._place is not None:
            raise SunSpecError(f"it does not show the model at register {self._place}, which its chain of models names")
        self._base += 1
        if self._base == len(BASES):
            bases = ", ".join(str(base) for base in BASES)
            raise SunSpecError(f'it is no SunSpec device: there is no "SunS" at registers {bases}')

    def _model(self, number: int, length: int) -> None:
        assert self._place is not None
        if number == END:
            self._place = -1
            return
        self.models.append(Model(number, self._place, length))
        self._place += 2 + length
        if self._place > 0xFFFE or len(self.models) == MODELS_MOST:
            raise SunSpecError(f"its chain of models does not end within {MODELS_MOST} models and 65536 registers")


def choose(models: list[Model], numbers: tuple[int, ...]) -> tuple[Model, Model]:
    """The common model and the first of `numbers`; raises `SunSpecError`."""
    common = next((model for model in models if model.number == COMMON), None)
    found = next((model for model in models if model.number in numbers), None)
    if common is None or found is None:
        there = ", ".join(str(model.number) for model in models) or "none"
        asked = ", ".join(str(number) for number in numbers)
        raise SunSpecError(f"it has the models {there}; expected 1 and one of {asked}")
    return common, found
