"""Whether the process runs, and whether it can serve."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from accounts.api.openapi import problems
from accounts.domain import errors, readiness

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """That all is well."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    status: Literal["ok"] = "ok"


@router.get("/live", summary="Does the process run?")
async def live() -> Health:
    """Answers without any input or output, whatever the database does."""
    return Health()


@router.get("/ready", summary="Can it serve?", responses=problems(errors.NotReady))
async def ready(request: Request) -> Health:
    """Answers 503 with a reason while the database is away, or its schema is not the one that this code needs."""
    await readiness.check(request.state.sessionmaker)
    return Health()
