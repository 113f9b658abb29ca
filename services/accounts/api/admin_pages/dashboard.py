"""The first page of the administration: what happened in a day, a month or a year, as charts and as tables."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

from babel.dates import format_skeleton
from babel.numbers import format_compact_decimal
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.admin_pages.charts import Chart, Series
from accounts.api.dependencies import DbDep
from accounts.domain.figures.names import (
    ACTIVE_DAYS,
    LIMITED,
    MAIL_FAILED,
    MAIL_SENT,
    MAIL_WAITING,
    OTHER_WAY,
    REFUSED_SIGN_INS,
    REFUSED_WAYS,
    SIGN_INS,
    SIGN_UPS,
    WITH_SECOND_FACTOR,
)
from accounts.domain.figures.reading import Figures, read_figures
from accounts.schemas.figures import DashboardQuery, Span
from accounts.settings import LimitGroup
from accounts.translations import N_, Language

router = APIRouter(prefix=ADMIN)
NAV = (NavItem("", N_("Dashboard")),)
SPANS = {Span.DAY: N_("Last 24 hours"), Span.MONTH: N_("Last 30 days"), Span.YEAR: N_("Last 12 months")}
# Babel's skeletons of dates: on the axis, and in the table.
LABELS = {Span.DAY: ("Hm",), Span.MONTH: ("MMMd",), Span.YEAR: ("MMM",)}
FULL_LABELS = {Span.DAY: ("MMMd", "Hm"), Span.MONTH: ("yMMMd",), Span.YEAR: ("yMMMM",)}
WAYS = {
    "password": N_("Password"),
    "passkey": N_("Passkey"),
    "provider": N_("Provider"),
    "code": N_("Emailed code"),
    OTHER_WAY: N_("Not recorded"),
}
SUCCEEDED = {way: (f"{SIGN_INS}{way}", f"{SIGN_INS}{way}{WITH_SECOND_FACTOR}") for way in WAYS}
REFUSED = [f"{REFUSED_SIGN_INS}{way}" for way in REFUSED_WAYS]
ACTIVE = dict(zip(ACTIVE_DAYS, (N_("In a day"), N_("In 7 days"), N_("In 30 days")), strict=True))
LIMITS = {
    LimitGroup.SIGN_IN: N_("Signing in"),
    LimitGroup.GUESSES: N_("Passwords and codes"),
    LimitGroup.SIGN_UP: N_("Signing up"),
    LimitGroup.MAIL: N_("Requesting email"),
    LimitGroup.REQUESTS: N_("Other requests"),
}


@router.get("")
async def dashboard(request: Request, db: DbDep, query: Annotated[DashboardQuery, Query()]) -> Response:
    """Show the figures."""
    language, figures = request_language(request), await read_figures(db, query.period)
    return render_page(
        request,
        "admin/dashboard",
        figures=figures,
        charts=charts(figures, query.period, language),
        spans=SPANS,
        span=query.period,
        number=language.number,
        short_number=partial(format_compact_decimal, locale=language.locale),
    )


def charts(figures: Figures, span: Span, language: Language) -> list[Chart]:
    """Return the charts of the page, in their order."""
    short = [_label(start, LABELS[span], language) for start in figures.starts]
    full = [_label(start, FULL_LABELS[span], language) for start in figures.starts]
    chart = partial(Chart, labels=full, short_labels=short)
    _ = language.gettext
    return [
        chart("sign-ups", _("Sign-ups"), [Series(_("Sign-ups"), figures.of(SIGN_UPS))]),
        chart("active", _("Active users"), _active(figures, _), kind="lines", sums=False),
        chart("sign-ins", _("Sign-ins"), _outcomes(figures, _)),
        chart("methods", _("Sign-ins by method"), _methods(figures, _)),
        chart("factors", _("Sign-ins by second factor"), _factors(figures, _)),
        chart("limits", _("Refused by rate limits"), _limits(figures, _)),
        chart("mail", _("Email sent"), _mail(figures, _)),
        chart("waiting", _("Email waiting"), [Series(_("Waiting"), figures.of(MAIL_WAITING))], sums=False),
    ]


def _label(start: datetime, skeletons: tuple[str, ...], language: Language) -> str:
    return ", ".join(str(format_skeleton(each, start, locale=language.locale)) for each in skeletons)


Translate = Callable[[str], str]


def _active(figures: Figures, translate: Translate) -> list[Series]:
    return [Series(translate(text), figures.known(name)) for name, text in ACTIVE.items()]


def _outcomes(figures: Figures, translate: Translate) -> list[Series]:
    succeeded = [name for names in SUCCEEDED.values() for name in names]
    return [
        Series(translate(N_("Succeeded")), figures.of(*succeeded)),
        Series(translate(N_("Refused")), figures.of(*REFUSED)),
    ]


def _methods(figures: Figures, translate: Translate) -> list[Series]:
    series = [Series(translate(text), figures.of(*SUCCEEDED[way])) for way, text in WAYS.items()]
    return series if series[-1].total else series[:-1]  # what earlier releases recorded


def _factors(figures: Figures, translate: Translate) -> list[Series]:
    without, with_factor = zip(*SUCCEEDED.values(), strict=True)
    return [
        Series(translate(N_("With a second factor")), figures.of(*with_factor)),
        Series(translate(N_("Without")), figures.of(*without)),
    ]


def _limits(figures: Figures, translate: Translate) -> list[Series]:
    return [Series(translate(text), figures.of(LIMITED[group])) for group, text in LIMITS.items()]


def _mail(figures: Figures, translate: Translate) -> list[Series]:
    return [
        Series(translate(N_("Sent")), figures.of(MAIL_SENT)),
        Series(translate(N_("Given up")), figures.of(MAIL_FAILED)),
    ]
