"""The application: routes, middlewares and shared resources. Settings are read by ``create_app``, not at import."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, override

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from accounts.api.account_pages import router as account_pages
from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.paths import PATH as ACCOUNT_PAGES
from accounts.api.account_pages.render import check_templates
from accounts.api.admin_pages.router import add_admin_pages
from accounts.api.dependencies import State
from accounts.api.exception_handlers import add_exception_handlers
from accounts.api.http_methods import METHODS
from accounts.api.middleware.access_log import AccessLog
from accounts.api.middleware.body_limit import BodyLimit
from accounts.api.middleware.csrf import CrossSiteGuard
from accounts.api.middleware.form_encoding import Utf8Forms
from accounts.api.middleware.head import HeadAsGet
from accounts.api.middleware.security_headers import SecurityHeaders
from accounts.api.middleware.timeout import RequestTimeout
from accounts.api.middleware.trusted_hosts import TrustedHosts
from accounts.api.openapi import DESCRIPTION, openapi_document, tags_of
from accounts.api.request_body import check_body
from accounts.api.routes import audit, docs, health, personal_data
from accounts.api.routes.external_sign_in import authorization, callback, identities
from accounts.api.routes.groups import assurance, groups, member_files, members
from accounts.api.routes.identity import auth, email_change, recovery, sign_up, tokens, user_files, users, users_admin
from accounts.api.routes.invitations import answering, sending
from accounts.api.routes.mailed_codes import sign_in
from accounts.api.routes.oauth import introspection, metadata, revocation, token
from accounts.api.routes.passkeys import passkeys
from accounts.api.routes.passkeys import sign_in as passkey_sign_in
from accounts.api.routes.second_factors import factors, proofs, totp
from accounts.api.routes.service_accounts import accounts, secrets
from accounts.api.routes.sessions import jwks, sessions
from accounts.api.session_cookie import COOKIE
from accounts.branding.logo import check_logo
from accounts.db.engine import (
    COMMAND_SECONDS,
    DriverConnection,
    autocommit_engine,
    create_engine,
    with_connection_metrics,
)
from accounts.db.replica import open_replica
from accounts.db.session import create_sessionmaker
from accounts.domain import bulk
from accounts.domain.breached_passwords import lists
from accounts.domain.external_providers.providers import Providers
from accounts.domain.figures.tally import Tally, refusals, storing
from accounts.domain.identity.hashing_queue import threads_per_worker
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.passkeys.relying_party import check_domain
from accounts.domain.sessions.access_tokens import key_ring
from accounts.settings import Settings, get_providers, get_settings

if TYPE_CHECKING:
    from accounts.observability.tracing import Tracing

# Every module whose ``router`` is part of the API, in the order of the documentation. A new module is one line here.
ROUTE_MODULES = (
    auth,
    sign_up,
    recovery,
    sign_in,
    proofs,
    factors,
    totp,
    passkey_sign_in,
    passkeys,
    authorization,
    callback,
    identities,
    sessions,
    users,
    email_change,
    tokens,
    personal_data,
    users_admin,
    user_files,
    groups,
    assurance,
    members,
    member_files,
    sending,
    answering,
    accounts,
    secrets,
    introspection,
    token,
    revocation,
    metadata,
    audit,
    jwks,
    health,
)
FAST_MODULES = (users, members, groups, sessions, auth, users_admin, answering, sending)  # see ``api.fast_routes``
EXPOSED_HEADERS = (
    "Content-Disposition",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
)
MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 30
LARGE_BODIES = member_files.LARGE_BODIES | user_files.LARGE_BODIES | account_pages.LARGE_BODIES
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}  # saves a look-up per request


class Api(FastAPI):
    """FastAPI inside of the access log, HEAD and the security headers.

    These also see the responses to unexpected errors, unlike middlewares that are added with ``add_middleware``.
    """

    @override
    def build_middleware_stack(self) -> ASGIApp:
        return AccessLog(HeadAsGet(SecurityHeaders(super().build_middleware_stack(), docs.PATH)))


def create_app() -> FastAPI:
    """Create the application from the settings."""
    settings = get_settings()
    lists.check_file(settings)
    get_providers(settings)
    check_domain(settings)
    check_logo(settings)
    check_templates(settings)
    tracing = _create_tracing(settings)
    app = Api(
        title="accounts",
        version="0.1.0",
        description=DESCRIPTION.format(url=settings.public_url),
        openapi_tags=tags_of(*ROUTE_MODULES),
        telemetry=tracing.telemetry if tracing else NO_TELEMETRY,
        lifespan=lifespan,
        dependencies=[Depends(check_body)],
        docs_url=None,  # add_docs serves it
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the client's Host header
        generate_unique_id_function=_operation_id,
    )
    app.state.tracing = tracing
    add_exception_handlers(app)
    _add_middlewares(app, settings)
    _add_routes(app)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _add_routes(app: FastAPI) -> None:
    for module in FAST_MODULES:
        app.router.routes += module.fast_router.routes  # first, since routes are matched in order
    for module in ROUTE_MODULES:
        app.include_router(module.router)
    account_pages.add_account_pages(app)
    add_admin_pages(app)
    docs.add_docs(app)


def _add_middlewares(app: FastAPI, settings: Settings) -> None:
    """Add the middlewares from the innermost to the outermost: the last one sees requests first.

    The cheapest checks come first. CORS is outside of the guard and the limits, so that pages of allowed
    origins can read their refusals. The timeout is innermost: it renders errors like the routes that it cancels.
    """
    app.add_middleware(RequestTimeout, unlimited=LARGE_BODIES)
    app.add_middleware(Utf8Forms)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, seconds=BODY_SECONDS, larger=LARGE_BODIES)
    app.add_middleware(CrossSiteGuard, cookie=COOKIE, paths=(sessions.COOKIE_PATHS, f"{ACCOUNT_PAGES}/", f"{ADMIN}/"))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=(*METHODS, "HEAD"),
            # Bearer tokens, never cookies. Swagger UI sends the last one.
            allow_headers=("Authorization", "Content-Type", "X-Requested-With"),
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(TrustedHosts)


def _create_tracing(settings: Settings) -> "Tracing | None":
    if not settings.otel_exporter_otlp_endpoint:
        return None
    from accounts.observability.tracing import Tracing  # noqa: PLC0415  # costs memory and start-up time

    return Tracing(settings)


def _operation_id(route: APIRoute) -> str:
    """Name an operation like its function, for generated clients."""
    return route.name


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    """Open the resources that requests share as ``request.state``, and close them at shutdown."""
    settings = get_settings()
    engine = with_connection_metrics(create_engine(settings, "api", COMMAND_SECONDS))
    sized = settings.model_copy(update={"database_pool_size": bulk.CONNECTIONS})
    bulk_engine = create_engine(sized, "bulk", COMMAND_SECONDS)
    tracing: Tracing | None = app.state.tracing
    if tracing:
        tracing.start(engine, bulk_engine)
    threads = threads_per_worker(settings.web_concurrency)
    providers = Providers(get_providers(settings))
    sessionmaker = create_sessionmaker(engine)
    async with (
        lists.open_lists(settings) as is_breached,
        storing(Tally(refusals), sessionmaker),
        open_replica(settings) as replica,
    ):
        passwords = PasswordHasher(threads, settings.password_min_length, is_breached)
        try:
            yield {
                "settings": settings,
                "sessionmaker": sessionmaker,
                "reader": create_sessionmaker(autocommit_engine(engine)),
                "bulk": bulk.BulkWork(create_sessionmaker(bulk_engine)),
                "connect": partial(DriverConnection, engine),
                "replica": replica,
                "passwords": passwords,
                "keys": key_ring(settings),
                "providers": providers,
            }
        finally:
            passwords.close()
            await providers.close()
            await engine.dispose()
            await bulk_engine.dispose()
            if tracing:
                await to_thread(tracing.stop)
