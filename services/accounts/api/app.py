"""The application, assembled; nothing happens before ``create_app`` is called."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, override

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from accounts.api.account_pages.render import PATH as SITE
from accounts.api.account_pages.render import also_as_page
from accounts.api.account_pages.router import router as site
from accounts.api.authentication import COOKIE
from accounts.api.dependencies import State
from accounts.api.middleware.access_log import AccessLog
from accounts.api.middleware.body_limit import BodyLimit
from accounts.api.middleware.csrf import CrossSiteGuard
from accounts.api.middleware.hosts import Cors, TrustedHosts
from accounts.api.middleware.security_headers import SecurityHeaders
from accounts.api.middleware.timeout import RequestTimeout
from accounts.api.openapi import describe, tags_of
from accounts.api.problems import add_handlers
from accounts.api.routes import audit, docs, health, personal_data
from accounts.api.routes.docs import add_docs
from accounts.api.routes.groups import groups, member_files, members
from accounts.api.routes.identity import auth, users, users_admin
from accounts.api.routes.invitations import answering, sending
from accounts.api.routes.sessions import jwks, sessions
from accounts.db.engine import (
    COMMAND_SECONDS,
    DriverConnection,
    autocommit_engine,
    create_engine,
    with_connection_metrics,
)
from accounts.db.session import create_sessionmaker
from accounts.domain.identity.password_hashing import PasswordHasher, threads_per_worker
from accounts.domain.sessions.access_tokens import key_ring
from accounts.settings import Settings, get_settings

if TYPE_CHECKING:
    from accounts.observability.tracing import Tracing

DESCRIPTION = """Users and groups for your services.

Register, sign in (**Authorize** takes the same e-mail address and password), then call the routes with a lock.
Every error is [problem details](https://www.rfc-editor.org/rfc/rfc9457) whose `detail` is a stable code.
"""
MODULES = (
    auth,
    sessions,
    users,
    personal_data,
    users_admin,
    groups,
    members,
    member_files,
    sending,
    answering,
    audit,
    jwks,
    health,
)
UNTRACED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}  # else looked for at each request
MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 30


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    """Make what every request uses, and end it with the process."""
    settings = get_settings()
    engine = with_connection_metrics(create_engine(settings, "api", COMMAND_SECONDS))
    tracing: Tracing | None = app.state.tracing
    if tracing:
        tracing.start(engine)
    passwords = PasswordHasher(threads_per_worker(settings.web_concurrency), settings.password_min_length)
    try:
        yield {
            "settings": settings,
            "sessionmaker": create_sessionmaker(engine),
            "reader": create_sessionmaker(autocommit_engine(engine)),
            "connect": partial(DriverConnection, engine),
            "passwords": passwords,
            "keys": key_ring(settings),
        }
    finally:
        passwords.close()
        await engine.dispose()
        if tracing:
            await to_thread(tracing.stop)


class Api(FastAPI):
    """FastAPI with headers and a line in the log around it all: an added middleware would miss the answer to a bug."""

    @override
    def build_middleware_stack(self) -> ASGIApp:
        return AccessLog(SecurityHeaders(super().build_middleware_stack(), docs.PATH))


def create_app() -> FastAPI:
    """Make the application."""
    tracing = _tracing(get_settings())
    app = Api(
        title="accounts",
        version="0.1.0",
        description=DESCRIPTION,
        openapi_tags=tags_of(*MODULES),
        telemetry=tracing.telemetry if tracing else UNTRACED,
        lifespan=lifespan,
        docs_url=None,  # add_docs serves it
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host header that a client sent
        generate_unique_id_function=operation_id,
    )
    app.state.tracing = tracing
    app.add_middleware(RequestTimeout, unlimited=member_files.LARGER)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, seconds=BODY_SECONDS, larger=member_files.LARGER)
    app.add_middleware(CrossSiteGuard, cookie=COOKIE, paths=(sessions.COOKIE_PATHS, f"{SITE}/"))
    app.add_middleware(Cors)
    app.add_middleware(TrustedHosts)
    add_handlers(app, also_as_page)
    for module in (users, members):
        app.router.routes += module.reads.routes  # before the others, since routes are tried one after the other
    for module in MODULES:
        app.include_router(module.router)
    app.include_router(site)
    add_docs(app)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _tracing(settings: Settings) -> "Tracing | None":
    if not settings.otel_exporter_otlp_endpoint:
        return None
    from accounts.observability.tracing import Tracing  # noqa: PLC0415  # it costs memory, and time at the start

    return Tracing(settings)


def operation_id(route: APIRoute) -> str:
    """Name an operation like its function, so that generated clients read well."""
    return route.name
