"""Records of the gas messages; the package's samples are these, written (see `content_examples`)."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

import msgspec

from central.market.payloads.claims import Claim, ClaimAnswer, Claims
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
from central.market.payloads.gas_master_data import (
    ContractStatement,
    GasConsumption,
    GasMasterData,
    GasMetering,
    GasNetwork,
    GasPointData,
    GasSuspension,
)
from central.market.payloads.gas_requests import AskedGasPoint, GasRequest
from central.market.payloads.master_data import PointCustomer, PointParty

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
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
GAS_POINT_DATA: Final = GasPointData(
    opm=GAS_POINT,
    action="register",
    first_day=FIRST,
    name="Kotelna haly 3",
    group="4",
    network=GasNetwork(operator="8591824556207", pressure="medium", area="LDS01"),
    metering=GasMetering(kind="C", reading_cycle="yearly"),
    consumption=GasConsumption(category="MO", tdd_class="DOM3", planned_annual_kwh=19_141),
    parties=[PointParty(role="supplier", id="8591824648933", first_day=FIRST)],
    customer=PointCustomer(kind="business", name="Truhlářství „Dub“ & syn, s.r.o.", company_number="27082440"),
)
GAS_RESERVED: Final = GasPointData(
    opm=GAS_OTHER,
    action="change",
    first_day=FIRST,
    network=GasNetwork(operator="8591824556207", pressure="high"),
    metering=GasMetering(kind="A", reading_cycle="daily"),
    consumption=GasConsumption(category="VO", reserved_daily_m3=D(1300)),
)
GAS_SUSPENDED: Final = GasPointData(
    opm=GAS_POINT,
    action="suspend",
    first_day=LAST,
    consumption=GasConsumption(category="MO", planned_annual_kwh=0),
    suspensions=[GasSuspension(first_day=LAST, reading_m3=D("10233.4"))],
)
ASKED: Final = AskedGasPoint(opm=GAS_POINT, first_day=FIRST, last_day=LAST)
GAS_CLAIM: Final = Claim(
    claim="R-31", opm=GAS_POINT, kind="billing", message="GP6-1", first_day=FIRST, last_day=LAST, state="new",
    text="Spalné teplo je z jiné oblasti.",
)  # fmt: skip
GAS_PAYLOADS: Final[dict[str, msgspec.Struct]] = {
    "GP6": GasBillings(documents=[BILLED_C, BILLED_AB, CANCELLED]),
    "XG1": GasMasterData(points=[GAS_POINT_DATA, GAS_RESERVED, GAS_SUSPENDED]),
    "XG3": GasMasterData(
        points=[GAS_POINT_DATA], statement=ContractStatement(rejection="withdrawal", negotiation="distance")
    ),
    "XG4": GasRequest(locations=[ASKED, AskedGasPoint(opm=GAS_OTHER, first_day=FIRST, last_day=LAST)]),
    "GO7": GasRequest(locations=[ASKED]),
    "GSK": GasRequest(locations=[ASKED]),
    "GSN": GasRequest(locations=[ASKED]),
    "GSQ": GasRequest(locations=[ASKED]),
    "XG7": Claims(answers=[ClaimAnswer(claim="R-31", result="accept", reason="corrected")]),
    "XG9": Claims(claims=[GAS_CLAIM]),
}
"""By message code."""
