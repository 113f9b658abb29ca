"""The names of the figures. Each is a series of numbers by hour and by day."""

from accounts.models import Method
from accounts.settings import LimitGroup

SIGN_UPS = "sign_ups"
# How a sign-in began, by its first method (``amr``). What earlier releases recorded has no method.
WAYS = {
    Method.PASSWORD: "password",
    Method.HARDWARE_KEY: "passkey",
    Method.SYNCED_KEY: "passkey",
    Method.FEDERATED: "provider",
    Method.MAILED_CODE: "code",
}
OTHER_WAY = "other"
SIGN_INS, REFUSED_SIGN_INS = "sign_in.", "sign_in_refused."
WITH_SECOND_FACTOR = ".2"
REFUSED_WAYS = ("password", "passkey", "code", "second_factor")  # sign-ins with a provider count as those by password
ACTIVE = "active."
ACTIVE_DAYS = {"active.day": 1, "active.week": 7, "active.month": 30}
MAIL_SENT, MAIL_FAILED, MAIL_WAITING = "mail.sent", "mail.failed", "mail.waiting"
LIMITED = {group: f"limited.{group}" for group in LimitGroup}
# Counted from the audit log.
RECORDED = [
    SIGN_UPS,
    *(f"{SIGN_INS}{way}{suffix}" for way in (*set(WAYS.values()), OTHER_WAY) for suffix in ("", WITH_SECOND_FACTOR)),
    *(f"{REFUSED_SIGN_INS}{way}" for way in REFUSED_WAYS),
]
NAMES = [*RECORDED, *ACTIVE_DAYS, MAIL_SENT, MAIL_FAILED, MAIL_WAITING, *LIMITED.values()]
