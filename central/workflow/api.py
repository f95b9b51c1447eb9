"""Routes of acts that drive several rooms; each act has its own module, added to the list below."""

from fastapi import APIRouter

from central.workflow import market_api

router = APIRouter()
for act in (market_api,):
    router.include_router(act.router)
