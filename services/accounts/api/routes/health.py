"""Whether the process runs, and whether it can serve."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from accounts import readiness
from accounts.api.openapi import problems
from accounts.domain import errors

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """That all is well."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    status: Literal["ok"] = "ok"


@router.get("/live", summary="Does the process run?")
async def live() -> Health:
    """Answers without any input or output, whatever the database does."""
    return Health()


class MailBacklog(BaseModel):
    """Mail that is not sent yet; it makes nothing unready, and somebody should look when it grows."""

    model_config = ConfigDict(from_attributes=True)

    waiting: int = Field(description="Mails to be sent.", examples=[0])
    oldest_seconds: int = Field(description="For how long the oldest of them has waited.", examples=[0])
    parked: int = Field(description="Mails that were given up.", examples=[0])


class Readiness(Health):
    """That it can serve."""

    mail: MailBacklog


@router.get("/ready", summary="Can it serve?", responses=problems(errors.NotReady))
async def ready(request: Request) -> Readiness:
    """Answers 503 with a reason while the database is away, or its schema is not the one that this code needs."""
    found = await readiness.check_readiness(request.state.sessionmaker)
    return Readiness(mail=MailBacklog.model_validate(found))
