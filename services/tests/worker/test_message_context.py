"""All kinds of letters, from their causes in the API to a file."""

from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from accounts.db.session import transaction
from accounts.domain.mail.outbox import enqueue_notice
from accounts.models import MailKind, Role, User, Visibility
from accounts.settings import SignUp
from accounts.worker.delivery import Delivery
from accounts.worker.stopping import Stop
from accounts.worker.transports import Folder
from support.people import PASSWORD, World

ARTHUR, NEW = "arthur@camelot.example.com", "rex@camelot.example.com"


class Court:
    """A world whose mail is delivered to a folder."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.delivery = Delivery(world.sessionmaker, world.connect, Folder(folder), world.state["settings"], Stop())

    async def letter(self, kind: MailKind) -> str:
        """Deliver all queued mail, and return the last letter of a kind."""
        while await self.delivery.deliver_next():
            pass
        last = max(self.folder.glob(f"*-{kind}-*.eml"), key=lambda file: file.name)
        message: Any = message_from_bytes(last.read_bytes(), policy=policy.default)
        text: str = message.get_body(("plain",)).get_content()
        return f"To: {message['To']}\n{text}"


@pytest.fixture
def court(world: World, tmp_path: Path) -> Court:
    return Court(world, tmp_path)


@pytest.fixture
async def arthur(world: World) -> User:
    return await world.user("arthur", is_verified=True)


async def test_sign_up_letter_has_a_link_to_choose_a_password_while_its_token_is_the_latest(
    world: World, court: Court
) -> None:
    world.change_settings(sign_up=SignUp.VERIFIED)
    for _ in range(2):
        await world.client.post("/auth/register", json={"email": NEW})
    token = await world.token()

    text = await court.letter(MailKind.SIGN_UP)

    assert f"/account/complete-registration?token={token}" in text.replace("=\n", "")
    assert len(list(court.folder.iterdir())) == 1


@pytest.mark.usefixtures("arthur")
async def test_sign_in_from_an_unknown_device_is_reported_with_its_name(world: World, court: Court) -> None:
    form = {"username": ARTHUR, "password": PASSWORD}
    for agent in ("Firefox/140.0 Linux", "Firefox/141.0 Linux", "Mozilla/5.0 (iPhone) Version/18 Safari/604.1"):
        await world.client.post("/auth/jwt/login", data=form, headers={"User-Agent": agent})

    assert [mail.kind for mail in await world.mails()] == [MailKind.NEW_SIGN_IN]
    letter = await court.letter(MailKind.NEW_SIGN_IN)
    assert "Safari on iPhone" in letter
    assert "http://localhost:8000/account/sessions" in letter


@pytest.mark.usefixtures("arthur")
async def test_sign_ins_while_a_notice_waits_are_counted_by_it(world: World, court: Court) -> None:
    form = {"username": ARTHUR, "password": PASSWORD}
    for number in range(5):
        await world.client.post("/auth/jwt/login", data=form, headers={"User-Agent": "Firefox" + "x" * number})

    assert len(await world.mails()) == 1
    assert "More new sign-ins since: 3" in await court.letter(MailKind.NEW_SIGN_IN)
    await world.client.post("/auth/jwt/login", data=form, headers={"User-Agent": "Safari"})
    assert "More new sign-ins" not in await court.letter(MailKind.NEW_SIGN_IN)


async def test_notice_that_is_being_sent_or_went_to_another_address_is_not_added_to(world: World, arthur: User) -> None:
    async def report() -> list[int]:
        async with transaction(world.sessionmaker) as db:
            await enqueue_notice(db, MailKind.PASSWORD_CHANGED, await db.get_one(User, arthur.id))
        return [mail.detail.get("more", 0) for mail in await world.mails()]

    assert [await report(), await report()] == [[0], [1]]
    await world.sql("UPDATE outbox SET attempts = 1")  # leased
    assert await report() == [1, 0]
    await world.sql(f"UPDATE \"user\" SET email = '{NEW}'")  # noqa: S608  # a constant
    assert await report() == [1, 0, 0]
    await world.sql("UPDATE outbox SET parked_at = now()")
    assert await report() == [1, 0, 0, 0]


async def test_letter_is_in_the_language_that_the_recipient_chose_by_the_time_it_is_sent(
    world: World, court: Court, arthur: User
) -> None:
    headers = await world.sign_in(arthur)
    await world.client.post("/auth/forgot-password", json={"email": ARTHUR}, headers={"Accept-Language": "en"})
    await world.client.patch("/users/me", json={"language": "de"}, headers=headers)

    letter = await court.letter(MailKind.RESET)

    assert "Passwort" in letter
    assert "password" not in letter.replace("reset-password", "").replace("forgot-password", "")


async def test_password_change_links_to_the_reset_page(world: World, court: Court, arthur: User) -> None:
    headers = await world.sign_in(arthur)
    await world.client.patch("/users/me", json={"password": "lancelot-and-elaine"}, headers=headers)

    assert "http://localhost:8000/account/forgot-password" in await court.letter(MailKind.PASSWORD_CHANGED)


async def test_email_change_masks_the_new_address_and_can_be_undone_from_the_previous_one(
    world: World, court: Court, arthur: User
) -> None:
    headers = await world.sign_in(arthur)
    await world.client.patch("/users/me", json={"email": NEW}, headers=headers)
    confirm = await court.letter(MailKind.CONFIRM_EMAIL)
    token = confirm.partition("confirm-email?token=")[2].split()[0]
    assert (await world.client.post("/auth/confirm-email", json={"token": token})).status_code == 200

    changed = await court.letter(MailKind.EMAIL_CHANGED)

    assert confirm.startswith(f"To: {NEW}")
    assert changed.startswith(f"To: {ARTHUR}")
    assert "r…@" in changed
    assert NEW not in changed
    token = changed.partition("undo-email?token=")[2].split()[0]
    assert (await world.client.post("/auth/undo-email", json={"token": token})).json()["email"] == ARTHUR
    restored = await court.letter(MailKind.RESET)
    assert restored.startswith(f"To: {ARTHUR}")
    assert "Your email address has been restored" in " ".join(restored.split())


async def test_email_change_by_a_superuser_cannot_be_undone(world: World, court: Court, arthur: User) -> None:
    admin = await world.sign_in(await world.user("merlin", superuser=True))
    for body in ({"email": NEW}, {"is_superuser": True}):
        await world.client.patch(f"/users/{arthur.id}", json=body, headers=admin)

    assert "undo-email" not in await court.letter(MailKind.EMAIL_CHANGED)
    assert (await court.letter(MailKind.SUPERUSER_CHANGED)).startswith(f"To: {NEW}")


@pytest.mark.usefixtures("arthur")
async def test_registering_a_taken_email_links_its_owner_to_the_sign_in_page(world: World, court: Court) -> None:
    await world.client.post("/auth/register", json={"email": ARTHUR, "password": PASSWORD})

    assert "http://localhost:8000/account/sign-in" in await court.letter(MailKind.ACCOUNT_EXISTS)


@pytest.mark.usefixtures("arthur")
async def test_letter_that_a_release_without_reserved_addresses_enqueued_is_sent(world: World, court: Court) -> None:
    await world.client.post("/auth/register", json={"email": ARTHUR, "password": PASSWORD})
    await world.sql("UPDATE outbox SET detail = '{}'")

    assert "http://localhost:8000/account/sign-in" in await court.letter(MailKind.ACCOUNT_EXISTS)


async def test_sign_up_with_a_reserved_address_tells_it_of_the_undo(world: World, court: Court, arthur: User) -> None:
    await world.client.patch("/users/me", json={"email": NEW}, headers=await world.sign_in(arthur))
    await world.client.post("/auth/confirm-email", json={"token": await world.token()})
    await world.client.post("/auth/register", json={"email": ARTHUR, "password": PASSWORD})

    letter = await court.letter(MailKind.ACCOUNT_EXISTS)

    assert letter.startswith(f"To: {ARTHUR}")
    assert "undo the change with the link in our earlier email" in " ".join(letter.split())
    assert "Arthur" not in letter
    assert NEW not in letter


class TestGroups:
    @pytest.fixture
    async def path(self, world: World, arthur: User) -> str:
        group = await world.group(
            "Round Table",
            Visibility.PRIVATE,
            members={arthur: Role.MEMBER, await world.user("guinevere", is_verified=True): Role.OWNER},
        )
        return f"/user-groups/{group.id}"

    async def test_role_change_by_another_member_is_reported(
        self, world: World, court: Court, arthur: User, path: str
    ) -> None:
        headers = await world.sign_in("guinevere@camelot.example.com")
        await world.client.patch(f"{path}/users/{arthur.id}", json={"role": "owner"}, headers=headers)

        assert [mail.email for mail in await world.mails(MailKind.ROLE_CHANGED)] == [ARTHUR]
        assert "Round Table" in await court.letter(MailKind.ROLE_CHANGED)
        await world.client.patch(
            f"{path}/users/{arthur.id}", json={"role": "admin"}, headers=await world.sign_in(arthur)
        )
        assert await world.mails(MailKind.ROLE_CHANGED) == []

    @pytest.mark.parametrize("change", ["leave", "delete_group", "change_back", "delete_sender", "deactivate_sender"])
    async def test_role_change_is_not_reported_once_it_does_not_hold_or_its_sender_is_gone(
        self, world: World, court: Court, arthur: User, path: str, change: str
    ) -> None:
        guinevere = await world.sign_in("guinevere@camelot.example.com")
        await world.client.patch(f"{path}/users/{arthur.id}", json={"role": "owner"}, headers=guinevere)
        [mail] = await world.mails(MailKind.ROLE_CHANGED)
        requests: dict[str, tuple[str, str, Any]] = {
            "leave": ("DELETE", f"{path}/users/{arthur.id}", None),
            "delete_group": ("DELETE", path, None),
            "change_back": ("PATCH", f"{path}/users/{arthur.id}", {"role": "member"}),
            "delete_sender": ("DELETE", "/users/me", None),
        }
        if change in requests:
            method, url, body = requests[change]
            answer = await world.client.request(method, url, json=body, headers=guinevere)
            assert answer.is_success, answer.text
        else:
            await world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'guinevere%'")

        assert await court.delivery.deliver_next()

        assert list(court.folder.glob(f"*-{MailKind.ROLE_CHANGED}-*")) == []
        assert await world.mails(MailKind.ROLE_CHANGED) == []
        assert mail.email == ARTHUR

    @pytest.mark.parametrize("detail", ["detail - 'group_id' - 'by_user'", """detail || '{"by_user": false}'"""])
    async def test_role_change_by_a_command_or_enqueued_by_a_release_without_group_ids_is_sent(
        self, world: World, court: Court, arthur: User, path: str, detail: str
    ) -> None:
        headers = await world.sign_in("guinevere@camelot.example.com")
        await world.client.patch(f"{path}/users/{arthur.id}", json={"role": "admin"}, headers=headers)
        await world.sql(f"UPDATE outbox SET sender_id = NULL, detail = {detail}")  # noqa: S608  # constants

        assert "Round Table" in await court.letter(MailKind.ROLE_CHANGED)

    async def test_changes_of_a_role_that_wait_are_one_letter_for_each_group(
        self, world: World, court: Court, arthur: User, path: str
    ) -> None:
        other = await world.group("Grail", members={arthur: Role.MEMBER, await world.user("bors"): Role.OWNER})
        headers = await world.sign_in("guinevere@camelot.example.com")
        for role in ["admin", "member"] * 6 + ["owner"]:
            await world.client.patch(f"{path}/users/{arthur.id}", json={"role": role}, headers=headers)
        await world.client.patch(
            f"/user-groups/{other.id}/users/{arthur.id}",
            json={"role": "admin"},
            headers=await world.sign_in("bors@camelot.example.com"),
        )

        mails = await world.mails(MailKind.ROLE_CHANGED)
        assert [(each.detail["was"], each.detail["role"]) for each in mails] == [
            ("member", "owner"),
            ("member", "admin"),
        ]
        await court.letter(MailKind.ROLE_CHANGED)
        assert len(list(court.folder.glob(f"*-{MailKind.ROLE_CHANGED}-*"))) == 2

    async def test_invitation_names_its_inviter_and_note(self, world: World, court: Court, path: str) -> None:
        headers = await world.sign_in("guinevere@camelot.example.com")
        body = {"email": "elaine@x.org", "note": "There is a seat left."}
        await world.client.post(f"{path}/invitations", json=body, headers=headers)

        letter = await court.letter(MailKind.INVITATION)

        assert "There is a seat left." in letter
        assert "Guinevere" in letter
        body = {"email": "elaine@x.org", "password": PASSWORD}
        body["invitation"] = letter.partition("invitation?token=")[2].split()[0]
        assert (await world.client.post("/auth/register", json=body)).json()["is_verified"] is True

    async def test_withdrawn_or_resent_invitation_is_not_sent(self, world: World, court: Court, path: str) -> None:
        headers = await world.sign_in("guinevere@camelot.example.com")
        response = await world.client.post(f"{path}/invitations", json={"email": "elaine@x.org"}, headers=headers)
        await world.client.post(f"{path}/invitations/{response.json()['id']}/resend", headers=headers)
        while await court.delivery.deliver_next():
            pass
        assert len(list(court.folder.glob("*.eml"))) == 1  # the first token is dead by now

        response = await world.client.post(f"{path}/invitations", json={"email": "enid@x.org"}, headers=headers)
        await world.client.delete(f"{path}/invitations/{response.json()['id']}", headers=headers)

        assert not await court.delivery.deliver_next()
