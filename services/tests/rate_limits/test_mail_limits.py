"""Mail is counted by recipient, whatever causes it, and mail to others by the account that causes it."""

import ast
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import select

import accounts.domain
from accounts.db.session import transaction
from accounts.domain.access_keys.expiry import notify_of_expiry
from accounts.domain.mail.outbox import OutgoingMail, enqueue
from accounts.domain.rate_limits.counting import count_received_mail
from accounts.domain.rate_limits.rules import MAILS_OF_KIND, RULES, Attempt
from accounts.models import MailKind, OneTimeToken, OutboxMail, Throttle
from accounts.models.mail import CAUSED_BY_OTHERS
from accounts.settings_types import SignUp
from accounts.worker.delivery import Delivery
from accounts.worker.stopping import Stop
from accounts.worker.transports import Folder
from support.invitations import Table, table_of
from support.mailed_codes import Codes
from support.member_files import CSV, invited
from support.people import PASSWORD, World
from support.second_factors import add_app

NEW_PASSWORD = "a-sword-in-a-stone"
FREE = "enid@x.org"
DETAIL = {"group_name": "Round Table", "role": "admin", "was": "member", "device": "", "address": ""}
ENQUEUE = re.compile(r"enqueue\w*|send_token|request_token|store_invitations")


class Scene:
    """The table, whose owner is signed in, and whose mails and limits can be looked at."""

    def __init__(self, world: World, table: Table, folder: Path) -> None:
        self.world, self.table, self.client, self.folder = world, table, world.client, folder
        self.group = f"/user-groups/{table.group.id}"
        self.delivery = Delivery(world.sessionmaker, world.connect, Folder(folder), world.state["settings"], Stop())

    async def call(self, method: str, path: str, **body: Any) -> Response:
        """Call a route as Arthur, and require success."""
        answer = await self.client.request(method, path, headers=self.table.owner | body.pop("headers", {}), **body)
        assert answer.is_success, answer.text
        return answer

    def limit(self, scale: float) -> None:
        self.world.change_settings(throttle_scale=scale)
        self.delivery.settings = self.world.state["settings"]

    async def clear(self) -> None:
        await self.world.sql("DELETE FROM outbox")
        await self.world.sql("DELETE FROM throttle")

    async def limits(self) -> set[str]:
        """Return the names of the limits that were counted."""
        async with transaction(self.world.sessionmaker) as db:
            return {key.partition(":")[0] for key in await db.exec(select(Throttle.key))}

    async def queued(self) -> list[OutboxMail]:
        async with transaction(self.world.sessionmaker) as db:
            return list(await db.exec(select(OutboxMail)))

    async def deliver(self) -> None:
        while await self.delivery.deliver_next():
            pass

    async def id_of(self, name: str) -> str:
        members = (await self.call("GET", f"{self.group}/users")).json()
        return next(str(each["id"]) for each in members if each["display_name"] == name)


Cause = Callable[[Scene], Awaitable[None]]


async def register(scene: Scene, email: str) -> None:
    await scene.client.post("/auth/register", json={"email": email, "password": PASSWORD})


async def invite(scene: Scene) -> None:
    await scene.call("POST", f"{scene.group}/invitations", json={"email": FREE})


async def resend(scene: Scene) -> None:
    await invite(scene)
    [shown] = (await scene.call("GET", f"{scene.group}/invitations")).json()
    await scene.clear()
    await scene.call("POST", f"{scene.group}/invitations/{shown['id']}/resend")


async def put_stranger(scene: Scene) -> None:
    gawain = await scene.world.user("gawain")
    await scene.call("PUT", f"{scene.group}/users/{gawain.id}", json={"role": "member"})


async def import_rows(scene: Scene) -> None:
    await scene.call("POST", f"{scene.group}/users/import", content=f"email\n{FREE}\n", headers=CSV)


async def put_role(scene: Scene) -> None:
    await scene.call("PUT", f"{scene.group}/users/{await scene.id_of('Bors')}", json={"role": "admin"})


async def patch_role(scene: Scene) -> None:
    await scene.call("PATCH", f"{scene.group}/users/{await scene.id_of('Bors')}", json={"role": "admin"})


async def transfer(scene: Scene) -> None:
    await scene.call("POST", f"{scene.group}/transfer", json={"user_id": await scene.id_of("Bors")})


async def change_email(scene: Scene) -> None:
    await scene.call("PATCH", "/users/me", json={"email": FREE})


async def confirm_email(scene: Scene) -> None:
    await change_email(scene)
    token = await scene.world.token()
    await scene.clear()
    await scene.client.post("/auth/confirm-email", json={"token": token})


async def change_password(scene: Scene) -> None:
    await scene.call("PATCH", "/users/me", json={"password": NEW_PASSWORD})


async def promote(scene: Scene) -> None:
    morgana = await scene.world.sign_in(await scene.world.user("morgana", superuser=True))
    arthur = (await scene.call("GET", "/users/me")).json()
    body = {"is_superuser": True}
    answer = await scene.client.patch(f"/users/{arthur['id']}", json=body, headers=morgana)
    assert answer.is_success


async def create_token(scene: Scene) -> None:
    body = {"name": "nightly report", "scopes": ["groups:read"], "expires_in_days": 90}
    await scene.call("POST", "/users/me/tokens", json=body)


async def let_token_expire(scene: Scene) -> None:
    await create_token(scene)
    await scene.clear()
    month = "UPDATE access_key SET created_at = now() - interval '30 days', expires_at = now() + interval '6 days'"
    await scene.world.sql(month)
    async with transaction(scene.world.sessionmaker) as db:
        await notify_of_expiry(db)


async def add_authenticator_app(scene: Scene) -> None:
    await add_app(scene.world, scene.table.owner)


async def use_recovery_code(scene: Scene) -> None:
    phone = await add_app(scene.world, scene.table.owner)
    await scene.clear()
    await scene.call("POST", "/auth/elevate", json={"recovery_code": phone.recovery_codes[0]})


async def sign_in_elsewhere(scene: Scene) -> None:
    form = {"username": "arthur@camelot.example.com", "password": PASSWORD}
    await scene.client.post("/auth/jwt/login", data=form, headers={"User-Agent": "Mozilla/5.0 Firefox/140.0"})


async def forgot(scene: Scene) -> None:
    await scene.client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"})


async def request_code(scene: Scene) -> None:
    scene.world.change_settings(sign_in_by_code=True)
    answer = await scene.client.post("/auth/code/request", json={"email": "arthur@camelot.example.com"})
    assert answer.is_success


async def claim_account(scene: Scene) -> None:
    codes = Codes(scene.world)
    await scene.world.user("gawain")
    token, code = await codes.requested("gawain@camelot.example.com")
    await scene.clear()
    assert (await codes.send(token, code)).is_success


async def request_verify(scene: Scene) -> None:
    await scene.world.user("gawain")
    await scene.client.post("/auth/request-verify-token", json={"email": "gawain@camelot.example.com"})


async def register_free(scene: Scene) -> None:
    await register(scene, FREE)


async def sign_up(scene: Scene) -> None:
    scene.world.change_settings(sign_up=SignUp.VERIFIED)
    await register(scene, FREE)


async def register_taken(scene: Scene) -> None:
    await register(scene, "arthur@camelot.example.com")


ACCOUNT = "mail-others-account"
# What causes mail; of which kind; and the limits that count it before the worker does.
CAUSES: dict[Cause, tuple[MailKind, set[str]]] = {
    invite: (MailKind.INVITATION, {ACCOUNT}),
    resend: (MailKind.INVITATION, {ACCOUNT}),
    put_stranger: (MailKind.INVITATION, {ACCOUNT}),
    import_rows: (MailKind.INVITATION, {ACCOUNT}),
    put_role: (MailKind.ROLE_CHANGED, {ACCOUNT}),
    patch_role: (MailKind.ROLE_CHANGED, {ACCOUNT}),
    transfer: (MailKind.ROLE_CHANGED, {ACCOUNT}),
    change_email: (MailKind.CONFIRM_EMAIL, {ACCOUNT, "change-email-address"}),
    sign_up: (MailKind.SIGN_UP, {"register-client", "register-address"}),
    register_free: (MailKind.VERIFY, {"register-client", "register-address"}),
    register_taken: (MailKind.ACCOUNT_EXISTS, {"register-client", "register-address"}),
    forgot: (MailKind.RESET, {"forgot-password-client", "forgot-password-address"}),
    request_code: (MailKind.SIGN_IN_CODE, {"code-request-client", "code-request-pair", "code-request-address"}),
    claim_account: (MailKind.SECURITY_CHANGED, {"code-client"}),  # to the user's own address
    request_verify: (MailKind.VERIFY, {"request-verify-client", "request-verify-address"}),
    sign_in_elsewhere: (MailKind.NEW_SIGN_IN, {"login-client"}),
    confirm_email: (MailKind.EMAIL_CHANGED, set()),  # to the user's own addresses, and once for a token
    change_password: (MailKind.PASSWORD_CHANGED, set()),  # to the user's own address
    promote: (MailKind.SUPERUSER_CHANGED, set()),  # by a superuser
    create_token: (MailKind.TOKEN_CREATED, set()),  # to the user's own address
    let_token_expire: (MailKind.TOKEN_EXPIRES, set()),  # by the worker
    add_authenticator_app: (MailKind.SECURITY_CHANGED, {"second-factor-account"}),
    use_recovery_code: (MailKind.SECURITY_CHANGED, {"second-factor-account"}),
}
# The functions that enqueue mail, each with a cause that calls it; None for a command of the operator.
ENQUEUING: dict[str, Cause | None] = {
    "access_keys/expiry.py:notify_of_expiry": let_token_expire,
    "groups/members.py:_notify": patch_role,
    "identity/claim.py:claim": claim_account,
    "identity/email_change.py:notify_previous": confirm_email,
    "identity/email_change.py:request": change_email,
    "identity/email_change.py:undo": confirm_email,  # for a token that was sent by it
    "identity/first_passwords.py:send_first_password": None,  # of superusers, as below
    "identity/one_time_tokens.py:request_token": forgot,
    "identity/password_reset.py:request": forgot,
    "identity/password_reset.py:reset": change_password,  # for a token, to the user's own address
    "identity/personal_tokens.py:create": create_token,
    "identity/security_notices.py:report_change": add_authenticator_app,
    "identity/user_support.py:require_new_password": None,  # of superusers; the recipient's limit for resets counts it
    "identity/user_support.py:send_link": None,  # of the pages of superusers, which count it as ``forgot``
    "identity/users.py:_notify": change_password,
    "identity/verification.py:request": request_verify,
    "invitations/sending.py:_create": invite,
    "invitations/sending.py:resend": resend,
    "invitations/member_import.py:_invite": import_rows,
    "invitations/store.py:store_invitations": invite,
    "mail/outbox.py:enqueue_notice": change_password,
    "registration.py:_create": register_free,
    "sample_users/removal.py:_appoint_owners": None,
    "sample_users/removal.py:_lock_out": None,
    "sessions/sessions.py:_start": sign_in_elsewhere,
    "user_files/user_import.py:_invite": None,  # a superuser, whose mails are not counted
}


@pytest.fixture
async def table(world: World) -> Table:
    return await table_of(world)


@pytest.fixture
async def scene(world: World, table: Table, tmp_path: Path) -> Scene:
    return Scene(world, table, tmp_path)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
async def test_mail_is_counted_by_what_caused_it_and_by_its_recipient(scene: Scene, cause: Cause) -> None:
    await scene.clear()

    await cause(scene)

    mails, (kind, limits) = await scene.queued(), CAUSES[cause]
    assert [mail.kind for mail in mails] == [kind]
    counted = await scene.limits()
    assert counted >= limits, counted
    assert ACCOUNT in counted or kind not in CAUSED_BY_OTHERS
    await scene.deliver()
    assert await scene.queued() == []
    assert ("recipient-others" if kind in CAUSED_BY_OTHERS else f"recipient-{kind}") in await scene.limits()


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
async def test_mail_is_not_held_up_by_other_mail_to_its_recipient(scene: Scene, cause: Cause) -> None:
    """Only mail that users cause others to get shares a limit."""
    await scene.clear()
    await cause(scene)
    [mail] = await scene.queued()
    own = mail.kind not in CAUSED_BY_OTHERS
    scene.limit(0.01)  # one of each an hour
    for kind in set(MailKind) - CAUSED_BY_OTHERS - {mail.kind} | ({MailKind.INVITATION} if own else set()):
        await count_received_mail(scene.world.connect, mail.email, kind, scale=lambda _: 0.01)

    await scene.deliver()

    assert await scene.queued() == []
    assert [mail.kind in file.name for file in scene.folder.iterdir()] == [True]


async def test_own_limit_of_each_kind_exceeds_what_requests_by_address_can_cause() -> None:
    """So the limit of the mail that recovers an account cannot be exhausted by others."""
    requests = {attempt: RULES[attempt].email for attempt in Attempt if RULES[attempt].email and attempt != "login"}
    assert set(requests) == {
        Attempt.REGISTER, Attempt.FORGOT_PASSWORD, Attempt.REQUEST_VERIFY, Attempt.CHANGE_EMAIL, Attempt.CODE_REQUEST
    }  # fmt: skip
    for of_kind, *of_requests in zip(MAILS_OF_KIND, *requests.values(), strict=True):
        assert {limit.seconds for limit in of_requests} == {of_kind.seconds}
        # At most two kinds of request cause one kind of mail.
        assert of_kind.attempts > sum(sorted(limit.attempts for limit in of_requests)[-2:])


def test_every_kind_of_mail_and_every_function_that_enqueues_it_has_a_cause_above() -> None:
    """A new one takes a line in the tables above, and so the limits that count it."""
    domain = Path(accounts.domain.__file__).parent
    calls = {
        f"{path.relative_to(domain).as_posix()}:{function.name}"
        for path in domain.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.AsyncFunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and ENQUEUE.fullmatch(ast.unparse(call.func).rpartition(".")[2])
    }

    statements = {
        path.relative_to(domain).as_posix() for path in domain.rglob("*.py") if "INSERT INTO outbox" in path.read_text()
    }

    assert statements == {
        "mail/outbox.py",
        "identity/first_passwords.py",  # of imports; the recipient's limit for resets counts it
        "identity/one_time_tokens.py",  # forgot, request_verify, register_free
        "identity/pending_registrations.py",  # sign_up
        "mailed_codes/store.py",  # request_code
    }
    assert {kind for kind, _ in CAUSES.values()} == set(MailKind)
    assert calls == ENQUEUING.keys()
    assert {cause for cause in ENQUEUING.values() if cause} <= CAUSES.keys()


async def post(scene: Scene, kind: MailKind, number: int, email: str = FREE) -> None:
    """Enqueue mails to one address, each by another cause."""
    async with transaction(scene.world.sessionmaker) as db:
        await enqueue(db, kind, [OutgoingMail(email, detail=DETAIL) for _ in range(number)])


@pytest.mark.parametrize(("kind", "limit"), [(MailKind.ROLE_CHANGED, 5), (MailKind.PASSWORD_CHANGED, 20)])
async def test_address_gets_a_number_of_mails_an_hour_and_the_rest_later(
    scene: Scene, kind: MailKind, limit: int
) -> None:
    scene.limit(1)
    await post(scene, kind, 30)
    await post(scene, kind, 1, "other@x.org")

    await scene.deliver()

    sent = [file.name for file in scene.folder.iterdir()]
    assert len(sent) == limit + 1
    waiting = await scene.queued()
    assert len(waiting) == 30 - limit
    assert {(mail.attempts, mail.error, mail.parked_at) for mail in waiting} == {(0, "", None)}
    await scene.world.sql("UPDATE throttle SET arrival_at = arrival_at - interval '1 hour'")
    await scene.world.sql("UPDATE outbox SET next_at = now()")
    await scene.deliver()
    assert len(await scene.queued()) == max(30 - 2 * limit, 0)


async def test_mail_by_others_does_not_hold_up_a_password_reset(scene: Scene) -> None:
    scene.limit(1)
    await post(scene, MailKind.ROLE_CHANGED, 30, "ARTHUR@camelot.example.com")
    await forgot(scene)

    await scene.deliver()

    assert {mail.kind for mail in await scene.queued()} == {MailKind.ROLE_CHANGED}


async def test_notices_do_not_hold_up_the_undo_of_an_email_change(scene: Scene) -> None:
    """An attacker causes many of them with the password or a session, and then changes the address."""
    scene.limit(1)
    for kind in (MailKind.NEW_SIGN_IN, MailKind.PASSWORD_CHANGED, MailKind.ACCOUNT_EXISTS):
        await post(scene, kind, 125, "arthur@camelot.example.com")
    await change_email(scene)
    await scene.client.post("/auth/confirm-email", json={"token": await scene.world.token()})

    await scene.deliver()

    [file] = scene.folder.glob(f"*-{MailKind.EMAIL_CHANGED}-arthur*")
    assert "undo-email?token=" in file.read_text().replace("=\n", "")


async def test_mail_that_waits_for_its_recipient_does_not_start_the_lifetime_of_its_token(scene: Scene) -> None:
    scene.limit(0.01)  # one an hour
    await count_received_mail(scene.world.connect, "arthur@camelot.example.com", MailKind.RESET, scale=lambda _: 0.01)
    await forgot(scene)
    await scene.world.sql("UPDATE one_time_token SET expires_at = '2020-01-01Z'")

    await scene.deliver()

    assert [mail.kind for mail in await scene.queued()] == [MailKind.RESET]
    async with transaction(scene.world.sessionmaker) as db:
        assert [at.year for at in await db.exec(select(OneTimeToken.expires_at))] == [2020]


async def test_postponed_mails_do_not_all_become_due_together(scene: Scene) -> None:
    scene.limit(1)
    await post(scene, MailKind.ROLE_CHANGED, 30)

    await scene.deliver()

    due = sorted(mail.next_at for mail in await scene.queued())
    assert due[-1] - due[0] > timedelta(minutes=5)  # one more may be sent after twelve
    assert len({at.replace(microsecond=0) for at in due}) > 10


async def test_mail_that_is_tried_again_is_counted_once(scene: Scene) -> None:
    scene.limit(0.2)  # one an hour
    await post(scene, MailKind.ROLE_CHANGED, 1)
    await scene.world.sql("UPDATE outbox SET error = '451 Later', attempts = 1")
    await post(scene, MailKind.ROLE_CHANGED, 1)

    await scene.deliver()

    assert await scene.queued() == []


class TestAccount:
    async def test_all_that_sends_invitations_shares_a_limit(self, scene: Scene, table: Table) -> None:
        scene.limit(0.004)  # four a day
        await invite(scene)
        await import_rows_of(scene, table.owner, 2)
        await scene.world.sql("DELETE FROM throttle WHERE key NOT LIKE 'mail-others-account:%'")
        await put_stranger(scene)
        await scene.world.sql("DELETE FROM throttle WHERE key NOT LIKE 'mail-others-account:%'")

        refused = [
            await table.invite("kay@x.org", headers=table.owner),
            await import_rows_of(scene, table.owner, 1, first=9),
        ]

        for answer in refused:
            assert (answer.status_code, answer.json()["detail"]) == (429, "TOO_MANY_ATTEMPTS")
            assert int(answer.headers["Retry-After"]) > 0
        await scene.world.sql("DELETE FROM throttle WHERE key NOT LIKE 'mail-others-account:%'")
        assert (await table.invite("kay@x.org")).status_code == 201  # by another account

    async def test_import_over_the_limit_stores_nothing(self, scene: Scene, table: Table) -> None:
        scene.limit(0.004)
        await import_rows_of(scene, table.owner, 2)

        dry = await import_rows_of(scene, table.owner, 3, first=2, dry_run="1")
        refused = await import_rows_of(scene, table.owner, 3, first=2)
        repeated = await import_rows_of(scene, table.owner, 4)

        assert (dry.status_code, refused.status_code) == (200, 429)
        assert (repeated.json()["invited"], repeated.json()["already_invited"]) == (2, 2)
        assert len(await invited(scene.world, table.group)) == 4

    async def test_file_with_more_invitations_than_a_day_allows_is_refused(self, scene: Scene, table: Table) -> None:
        scene.limit(0.004)

        answers = [await import_rows_of(scene, table.owner, 5, dry_run=dry_run) for dry_run in ("1", "0")]

        for answer in answers:
            assert (answer.status_code, answer.json()["detail"]) == (422, "TOO_MANY_INVITATIONS")
        assert await scene.queued() == []

    async def test_superuser_imports_any_number(self, scene: Scene) -> None:
        morgana = await scene.world.sign_in(await scene.world.user("morgana", superuser=True))
        scene.limit(0.004)

        assert (await import_rows_of(scene, morgana, 50)).json()["invited"] == 50


async def import_rows_of(
    scene: Scene, headers: dict[str, str], number: int, first: int = 0, dry_run: str = "0"
) -> Response:
    await scene.world.sql("DELETE FROM throttle WHERE key NOT LIKE 'mail-others-account:%'")  # of the network
    content = "email\n" + "".join(f"knight{each}@x.org\n" for each in range(first, first + number))
    path = f"{scene.group}/users/import"
    return await scene.client.post(path, content=content, params={"dry_run": dry_run}, headers=headers | CSV)
