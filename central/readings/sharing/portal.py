"""The CSV of EDC's portal, both layouts, written from what we computed; `transfer.edc_reader` reads it.

UTF-8, `;`, decimal comma, kWh with two decimals, production positive, consumption negative, local time. -D: IN is what
was delivered into the grid, OUT what is left unshared; -O: IN what was taken, OUT what is left after sharing.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from central.readings.sharing.shared_energy import Shared
from shared.metering_day import PRAGUE

Layout = Literal["all", "pairs"]


def write_portal(shared: Shared, layout: Layout) -> Iterator[str]:
    """The file line by line, each with its end."""
    names, columns = _all(shared) if layout == "all" else _pairs(shared)
    yield ";".join(["Datum", "Cas od", "Cas do", *names]) + "\r\n"
    for place, day in enumerate(shared.days):
        begin = int(shared.offset[place])
        written = _written([column[begin : begin + day.length] for column in columns], day.length)
        for index in range(day.length):
            start = day.instant(index).astimezone(PRAGUE)
            end = (day.instant(index) + day.step).astimezone(PRAGUE)
            values = written[index].tolist()
            yield ";".join([f"{start:%d.%m.%Y}", f"{start:%H:%M}", f"{end:%H:%M}", *values]) + "\r\n"


def columns_of(shared: Shared) -> dict[str, NDArray[np.int64]]:
    """Every column of both layouts by its name, consumption positive as the reader gives it; units of 0.01 kWh."""
    names, columns = _all(shared)
    found = {name: np.abs(column) for name, column in zip(names, columns, strict=True)}
    names, columns = _pairs(shared)
    return found | dict(zip(names, columns, strict=True))


def _all(shared: Shared) -> tuple[list[str], list[NDArray[np.int64]]]:
    names: list[str] = []
    columns: list[NDArray[np.int64]] = []
    for place, ean in enumerate(shared.producers):
        names += [f"IN-{ean}-D", f"OUT-{ean}-D"]
        columns += [shared.produced[place], shared.produced[place] - shared.given[place].sum(axis=0)]
    for place, ean in enumerate(shared.consumers):
        names += [f"IN-{ean}-O", f"OUT-{ean}-O"]
        columns += [-shared.demanded[place], shared.given[:, place].sum(axis=0) - shared.demanded[place]]
    return names, columns


def _pairs(shared: Shared) -> tuple[list[str], list[NDArray[np.int64]]]:
    names = [f"{producer}-{consumer}" for producer in shared.producers for consumer in shared.consumers]
    return names, [row for table in shared.given for row in table]


def _written(columns: Sequence[NDArray[np.int64]], length: int) -> NDArray[np.object_]:
    """The texts of a day, (quarter-hours, columns); each number that occurs is spelled once."""
    values = np.array(columns, np.int64).reshape(len(columns), length).T
    unique, places = np.unique(values, return_inverse=True)
    spelled = np.array([_number(number) for number in unique.tolist()], object)
    texts: NDArray[np.object_] = spelled[places.reshape(values.shape)]
    return texts


def _number(units: int) -> str:
    """Units of 0.01 kWh in kWh with a decimal comma."""
    whole, part = divmod(abs(units), 100)
    return f"{'-' if units < 0 else ''}{whole},{part:02d}"
