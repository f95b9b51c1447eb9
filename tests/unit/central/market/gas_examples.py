"""Records of the gas messages; the package's samples are these, written (see `content_examples`)."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

import msgspec

from central.market.payloads.gas_billing import (
    AgreedC,
    AgreedCapacity,
    CapacityC,
    ConvertedVolume,
    DailyEnergy,
    DistributedEnergy,
    FixedPayment,
    GasBilling,
    GasBillings,
    GasDayEnergy,
    GasMeter,
    GasMeterC,
    MeteredGasDay,
    Overrun,
)

GAS_POINT: Final = "27ZG600Z0012345N"
GAS_OTHER: Final = "27ZG600Z0067890H"
D = Decimal
WINTER: Final = timezone(timedelta(hours=1))
SUMMER: Final = timezone(timedelta(hours=2))
BEGIN, CHANGE = datetime(2025, 1, 1, 6, tzinfo=WINTER), datetime(2025, 7, 1, 6, tzinfo=SUMMER)
END: Final = datetime(2026, 1, 1, 6, tzinfo=WINTER)

BILLED_C: Final = GasBilling(
    document="POF0000012",
    version="1",
    net=D("7200.91"),
    gross=D("8713.10"),
    start=BEGIN,
    end=END,
    yearly_kwh=D(19141),
    segment="regular",
    number="2026000031",
    opm=GAS_POINT,
    distributed=[
        DistributedEnergy(
            start=BEGIN, end=CHANGE, energy_kwh=D(12493), unit_price=D("0.28419"), operator_price=D("0.00217")
        ),
        DistributedEnergy(
            start=CHANGE, end=END, energy_kwh=D(6648), unit_price=D("0.30125"), operator_price=D("0.00229")
        ),
    ],
    meters_c=[
        GasMeterC(
            start=BEGIN,
            end=END,
            meter="78112044",
            first_state=D("10233.4"),
            first_reading=BEGIN,
            last_reading=END,
            reading_type="02",
            volumes=[
                ConvertedVolume(
                    start=BEGIN,
                    end=CHANGE,
                    volume_m3=D(1210),
                    factor=D("0.9703"),
                    calorific_value=D("10.6412"),
                    energy_mwh=D("12.493"),
                ),
                ConvertedVolume(
                    start=CHANGE,
                    end=END,
                    volume_m3=D(640),
                    factor=D("0.9698"),
                    calorific_value=D("10.7105"),
                    energy_mwh=D("6.648"),
                ),
            ],
        )
    ],
    agreed_c=[
        AgreedC(
            start=BEGIN,
            end=END,
            capacity=CapacityC(volume=D("12.4"), price=D("118432.5"), effect=D("0.5")),
            payment=FixedPayment(rent=D("145.2"), effect=D(6)),
        )
    ],
)
"""A year of metering C: 3550.39 + 27.11 + 2002.71 + 15.22 CZK by energy, 734.28 for capacity, 871.20 fixed."""
FIRST_GAS_DAY: Final = datetime(2018, 1, 1, 6, tzinfo=WINTER)
BILLED_AB: Final = GasBilling(
    net=D("26873.79"),
    start=FIRST_GAS_DAY,
    end=FIRST_GAS_DAY + timedelta(days=31),
    segment="extraordinary",
    number="2018000007",
    further_number="2018000007/1",
    opm=GAS_OTHER,
    daily=DailyEnergy(
        unit_price=D("0.01482"),
        operator_price=D("0.00217"),
        days=[
            GasDayEnergy(day=FIRST_GAS_DAY, energy_kwh=D("2943.48")),
            GasDayEnergy(day=FIRST_GAS_DAY + timedelta(days=1), energy_kwh=D("3110.27")),
        ],
    ),
    meters=[
        GasMeter(
            start=FIRST_GAS_DAY,
            end=FIRST_GAS_DAY + timedelta(days=31),
            meter="EK-4410",
            first_state=D(99120),
            days=[
                MeteredGasDay(
                    day=FIRST_GAS_DAY, volume_m3=D(276), calorific_value=D("10.6649"), energy_kwh=D("2943.48")
                ),
                MeteredGasDay(
                    day=FIRST_GAS_DAY + timedelta(days=1),
                    volume_m3=D(292),
                    calorific_value=D("10.6649"),
                    energy_kwh=D("3110.27"),
                ),
            ],
        )
    ],
    agreed=[
        AgreedCapacity(
            size=D(1300),
            price=D("232117.93"),
            effect=D("0.0833333"),
            effect_percent=D("8.33333"),
            overruns=[Overrun(size=D(40), unit_price=D("19343.16"), month_factor=D("2.1"))],
        )
    ],
)
"""Two days of A: the day, capacity and effect that the public consumer shows; 2943.48 kWh of 276 m3."""
CANCELLED: Final = GasBilling(
    net=D("-7200.91"),
    start=BEGIN,
    end=END,
    cancelled=True,
    segment="cancel",
    number="2026000044",
    correction_reason="claim",
    claim="R-12",
    concerns="2026000031",
    opm=GAS_POINT,
)
GAS_PAYLOADS: Final[dict[str, msgspec.Struct]] = {
    "GP6": GasBillings(documents=[BILLED_C, BILLED_AB, CANCELLED]),
}
"""By message code."""
