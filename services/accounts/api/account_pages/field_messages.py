"""Texts at the fields of a refused form."""

from accounts.api.problems import Problem
from accounts.domain.identity import password_policy
from accounts.schemas.fields import PASSWORD_MAX_LENGTH
from accounts.schemas.second_factors import PROOFS
from accounts.translations import N_, Language

_EMPTY = N_("Please fill in this field.")
_CHARACTERS = N_("This contains characters that aren't allowed.")
FIELD_MESSAGES = {
    "missing": _EMPTY,
    "string_too_short": _EMPTY,
    "invisible": _EMPTY,
    "string_too_long": N_("This is too long."),
    "own_email": N_("This is your email address already."),
    "language": N_("Choose one of the languages."),
    "email": N_("Enter an email address like name@example.com."),
    "string_pattern_mismatch": _CHARACTERS,
    "hidden_characters": _CHARACTERS,
}
# Refusals that are about one field.
REFUSED_FIELDS = {
    "BAD_CURRENT_PASSWORD": ("current_password", N_("This isn't your current password.")),
    "GROUP_NAME_TAKEN": ("name", N_("Another public group has this name. Choose a different one.")),
    "UPDATE_USER_EMAIL_ALREADY_EXISTS": ("email", N_("Another account now uses this email address.")),
    "ALREADY_MEMBER": ("email", N_("This person is a member of the group already.")),
    "INVITATION_EXISTS": ("email", N_("This person has an open invitation already. You can resend it below.")),
}
INVALID_FIELD = N_("This isn't valid.")


def field_messages(language: Language, problem: Problem, password_min_length: int) -> dict[str, str]:
    """Describe what is wrong with each field of a form."""
    if problem.detail in REFUSED_FIELDS:
        name, message = REFUSED_FIELDS[problem.detail]
        return {name: language.gettext(message)}
    if problem.detail.endswith("_INVALID_PASSWORD"):
        return {"password": _weakness(language, problem.reason or "", password_min_length)}
    if [error.type for error in problem.errors or ()] == ["one_proof"]:
        return dict.fromkeys(PROOFS, language.gettext(_EMPTY))
    return {
        str(error.loc[-1]): language.gettext(FIELD_MESSAGES.get(error.type, INVALID_FIELD))
        for error in problem.errors or ()
    }


def _weakness(language: Language, reason: str, password_min_length: int) -> str:
    """Translate a reason of the password policy."""
    limits = {"shortest": password_min_length, "longest": PASSWORD_MAX_LENGTH}
    messages = {message % limits: message for message in password_policy.WEAKNESSES}
    return language.gettext(messages.get(reason, reason)) % limits
