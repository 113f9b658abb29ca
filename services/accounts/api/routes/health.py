"""Probes for orchestrators and load balancers."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from accounts import readiness
from accounts.api.openapi import problems
from accounts.domain import errors

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """A probe that succeeded."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    status: Literal["ok"] = "ok"


@router.get("/live", summary="Liveness probe")
async def live() -> Health:
    """Return `ok` while the process runs. The database is not checked."""
    return Health()


class MailBacklog(BaseModel):
    """The mail queue. It does not affect readiness; alert on its growth."""

    model_config = ConfigDict(from_attributes=True)

    waiting: int = Field(description="Messages to be sent.", examples=[0])
    oldest_seconds: int = Field(description="Age of the oldest of them, in seconds.", examples=[0])
    parked: int = Field(description="Messages whose delivery failed for good.", examples=[0])


class Readiness(Health):
    """A process that can serve requests."""

    mail: MailBacklog


@router.get("/ready", summary="Readiness probe", responses=problems(errors.NotReady))
async def ready(request: Request) -> Readiness:
    """Return `ok` if requests can be served, else 503: the database is unavailable, or its schema does not match."""
    backlog = await readiness.check_readiness(request.state.sessionmaker)
    return Readiness(mail=MailBacklog.model_validate(backlog))
