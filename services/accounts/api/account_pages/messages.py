"""What the pages say when something is refused: in sentences, for people."""

from accounts.api.problems import Problem

SENTENCES = {
    "LOGIN_BAD_CREDENTIALS": "The e-mail address or the password is wrong.",
    "REGISTER_INVALID_PASSWORD": "Please choose another password.",
    "RESET_PASSWORD_INVALID_PASSWORD": "Please choose another password.",
    "RESET_PASSWORD_BAD_TOKEN": "This link has been used, or is too old. Ask for a new one.",
    "VERIFY_USER_BAD_TOKEN": "This link has been used, or is too old. Sign in, and ask for a new one if need be.",
    "CONFIRM_EMAIL_BAD_TOKEN": "This link has been used, or is too old. Ask for the change once more.",
    "UNDO_EMAIL_BAD_TOKEN": "This link has been used, or is too old. Turn to whoever runs this service.",
    "UPDATE_USER_EMAIL_ALREADY_EXISTS": "Somebody else has this e-mail address by now.",
    "INVITATION_BAD_TOKEN": "This invitation has been answered or taken back, or is too old. Ask for a new one.",
    "INVITATION_OTHER_ADDRESS": "This invitation was sent to another e-mail address than the one of this account.",
    "TOO_MANY_ATTEMPTS": "That was too often. Wait a little before you try again.",
    "BUSY": "Many people are signing in just now. Try again in a few seconds.",
    "REQUEST_INVALID": "Something is not as it should be: see below.",
    "NOT_FOUND": "There is no such page.",
    "SERVICE_UNAVAILABLE": "The service cannot be reached just now. Try again in a few seconds.",
    "NOT_READY": "The service cannot be reached just now. Try again in a few seconds.",
}
FAULTS = {
    "missing": "This is needed.",
    "string_too_short": "This is needed.",
    "string_too_long": "This is too long.",
    "email": "This is no e-mail address.",
    "string_pattern_mismatch": "This has signs in it that cannot be used.",
}
UNKNOWN = "Something went wrong. Nothing was changed."


def message_of(problem: Problem) -> str:
    """Say what a problem is, with its reason for people, where it has one."""
    return " ".join([SENTENCES.get(problem.detail, UNKNOWN), *filter(None, [problem.reason])])


def faults_of(problem: Problem) -> dict[str, str]:
    """Say what is wrong with which field of a form."""
    return {str(fault.loc[-1]): FAULTS.get(fault.type, f"{fault.msg}.") for fault in problem.errors or ()}
