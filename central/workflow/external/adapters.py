"""The adapters by name."""

from collections.abc import Mapping
from typing import Final

from central.workflow.external import (
    ares,
    calorific,
    cnb_rates,
    edc_sharing,
    load_profiles,
    ote_day_ahead,
    ote_gas,
    ote_imbalance,
    ote_participants,
    price_decisions,
    switching_times,
    temperatures,
)
from central.workflow.external.adapter import Adapter

ADAPTERS: Final[Mapping[str, Adapter]] = {
    adapter.name: adapter
    for adapter in (
        ote_day_ahead.ADAPTER,
        ote_imbalance.ADAPTER,
        ote_gas.ADAPTER,
        ote_participants.ADAPTER,
        cnb_rates.ADAPTER,
        calorific.ADAPTER,
        switching_times.ADAPTER,
        load_profiles.ADAPTER,
        temperatures.ADAPTER,
        ares.ADAPTER,
        price_decisions.ADAPTER,
        edc_sharing.ADAPTER,
    )
}
