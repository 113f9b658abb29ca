"""The state of the service: readiness, versions, keys, settings, processes, and the size of the database."""

import platform
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from accounts import readiness
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.admin_pages.settings_words import settings_in_words
from accounts.api.dependencies import DbDep
from accounts.domain import errors
from accounts.domain.audit.history import list_events
from accounts.domain.audit.log import Action
from accounts.domain.database_facts import read_database_facts
from accounts.schemas.audit import AuditQuery
from accounts.translations import N_, Language

router = APIRouter(prefix=f"{ADMIN}/system")
NAV = (NavItem("/system", N_("System"), N_("Readiness, versions, keys, settings, and the size of the database.")),)
# Kinds of processes, by the names of their connections.
PROCESSES = {
    "accounts-api": N_("API"),
    "accounts-bulk": N_("API, for imports and exports"),
    "accounts-worker": N_("Worker, which sends mail"),
    "accounts-admin": N_("Administration by a command"),
}
WORKER = "accounts-worker"
UNITS = ("bytes", "kB", "MB", "GB", "TB")
KILO = 1024


async def readiness_fault(request: Request) -> str:
    """Return why the service is not ready, or an empty text if it is."""
    try:
        await readiness.check_readiness(request.state.sessionmaker)
        await readiness.check_writes(request.state.sessionmaker)
    except errors.NotReady as error:
        return error.reason or error.code
    return ""


@router.get("")
async def system_page(request: Request, db: DbDep, fault: Annotated[str, Depends(readiness_fault)]) -> Response:
    """Show the state of the service."""
    facts = await read_database_facts(db)
    cleaned = await list_events(db, AuditQuery(action=Action.PRUNED, limit=1))
    state = request.state
    return render_page(
        request,
        "admin/system",
        fault=fault,
        versions={"service": request.app.version, "python": platform.python_version()},
        schema=sorted(await readiness.schema_revisions(await db.connection())),
        keys=state.keys.overview(),
        rotate_at=state.settings.keys_rotate_at,
        settings=settings_in_words(state.settings, request_language(request)),
        facts_of=facts,
        has_worker=any(each.name == WORKER for each in facts.connections),
        cleaned_at=cleaned.rows[0].at if cleaned.rows else None,
        processes=PROCESSES,
        size=partial(readable_size, language=request_language(request)),
    )


def readable_size(size: float, language: Language) -> str:
    """Return a number of bytes as people read it, such as "12.5 MB"."""
    exponent = 0
    while size >= KILO and exponent < len(UNITS) - 1:
        size, exponent = size / KILO, exponent + 1
    return f"{language.number(size, 1)} {UNITS[exponent]}"
