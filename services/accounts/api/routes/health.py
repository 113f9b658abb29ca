"""Probes for orchestrators and load balancers."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from accounts import readiness
from accounts.api.openapi import problems
from accounts.domain import errors

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """A probe that succeeded."""

    status: Literal["ok"] = "ok"


@router.get("/live", summary="Liveness probe")
async def live() -> Health:
    """Return `ok` while the process runs. The database is not checked."""
    return Health()


@router.get("/ready", summary="Readiness probe", responses=problems(errors.NotReady))
async def ready(request: Request) -> Health:
    """Return `ok` if requests can be served, else 503.

    The database is unavailable, its schema does not match, it accepts no writes, or its role lacks a time limit.
    """
    await readiness.check_readiness(request.state.sessionmaker)
    await readiness.check_writes(request.state.sessionmaker)
    return Health()
