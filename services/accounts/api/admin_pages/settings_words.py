"""The settings that matter to administrators, in words. No secret, and no URL that may contain one, is among them."""

from collections.abc import Sequence

from babel.units import format_unit

from accounts.settings import DAY, Settings
from accounts.settings_types import LimitGroup, SignUp
from accounts.translations import N_, Language

SIGN_UPS = {
    SignUp.VERIFIED: N_("Everyone who confirms an email address"),
    SignUp.OPEN: N_("Everyone, at once"),
    SignUp.INVITED: N_("People with an invitation"),
    SignUp.CLOSED: N_("Superusers only"),
}
YES, NO, NONE = N_("Yes"), N_("No"), N_("None")
MAIL_FILES = N_("None: mail is written to files")
UNITS = ("day", DAY), ("hour", 3600), ("minute", 60), ("second", 1)
LIMITS = {
    LimitGroup.SIGN_IN: N_("Factor of the rate limits for sign-ins"),
    LimitGroup.GUESSES: N_("Factor of those for passwords and codes"),
    LimitGroup.SIGN_UP: N_("Factor of those for sign-ups"),
    LimitGroup.MAIL: N_("Factor of those for mail"),
    LimitGroup.REQUESTS: N_("Factor of those for other requests"),
}
DURATIONS = {
    "access_token_seconds": N_("Lifetime of an access token"),
    "session_idle_seconds": N_("A session ends without use after"),
    "session_seconds": N_("A session ends in any case after"),
    "recent_seconds": N_("A sign-in is recent for"),
}


def settings_in_words(settings: Settings, language: Language) -> Sequence[tuple[str, str]]:
    """Return names and values of settings, in a language."""
    gettext = language.gettext

    def yes(value: object) -> str:
        return gettext(YES if value else NO)

    def listed(values: Sequence[object]) -> str:
        return ", ".join(map(str, values)) or gettext(NONE)

    rows = {
        N_("Environment"): settings.environment.value,
        N_("URL of the service"): settings.public_url,
        N_("Accepted names of the host"): listed(sorted(settings.hosts)),
        N_("Proxies that are trusted"): listed(settings.trusted_proxies),
        N_("Pages that may call the API with tokens"): listed(settings.cors_origins),
        N_("Who can sign up"): gettext(SIGN_UPS[settings.sign_up]),
        N_("Sign-in with a mailed code"): yes(settings.sign_in_by_code),
        N_("Providers for sign-in"): listed(settings.oidc_providers),
        N_("Superusers need a second factor"): yes(settings.superuser_aal > 1),
        N_("Shortest password"): str(settings.password_min_length),
        N_("Passwords are checked against known leaks"): yes(
            settings.breached_passwords_url or settings.breached_passwords_file
        ),
        N_("Sessions for each user"): str(settings.sessions_per_user),
    }
    rows |= {name: duration(getattr(settings, field), language) for field, name in DURATIONS.items()}
    rows |= {
        N_("The audit log is kept for"): duration(settings.audit_days * DAY, language),
        N_("Sender of mail"): settings.mail_from,
        N_("Mail server"): f"{settings.smtp_host}:{settings.smtp_port}" if settings.smtp_host else gettext(MAIL_FILES),
        N_("Encryption to the mail server"): settings.smtp_security if settings.smtp_host else gettext(NONE),
    }
    rows |= {name: f"{settings.limit_scale(group):g}" for group, name in LIMITS.items()}
    return [(gettext(name), value) for name, value in rows.items()]


def duration(seconds: int, language: Language) -> str:
    """Return a duration in the largest unit that has no remainder, such as "90 days"."""
    unit, size = next(each for each in UNITS if seconds % each[1] == 0)
    return format_unit(seconds // size, f"duration-{unit}", locale=language.locale)
