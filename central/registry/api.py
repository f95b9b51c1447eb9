"""Routes of the registry, by entity; things are named as in a site file, by code, EAN, number."""

from fastapi import APIRouter

from central.registry import (
    amendment_api,
    area_api,
    calendar_api,
    capacity_api,
    condition_api,
    contract_api,
    gas_capacity_api,
    item_api,
    party_api,
    party_part_api,
    point_api,
)

router = APIRouter(prefix="/v1", tags=["registry"])

# Longer paths first: a contract's number may hold slashes, so its own route takes what the others leave.
for part in (
    party_api,
    party_part_api,
    area_api,
    capacity_api,
    gas_capacity_api,
    condition_api,
    point_api,
    item_api,
    amendment_api,
    calendar_api,
    contract_api,
):
    router.include_router(part.router)
