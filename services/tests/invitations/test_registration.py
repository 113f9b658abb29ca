"""Registering with an invitation, and the audit events of invitations."""

from accounts.db.session import transaction
from accounts.domain.registration import RegistrationManager
from accounts.models import MailKind, Role
from accounts.schemas.identity.users import RegistrationCreate
from support.invitations import GALAHAD, Table, accept, me, own, register, status_and_code
from support.people import PASSWORD, World
from support.schema import recorded_statements

BAD_TOKEN = (400, "INVITATION_BAD_TOKEN")
OTHER_ADDRESS = (403, "INVITATION_OTHER_ADDRESS")


class TestRegistrationByInvitation:
    async def test_registering_with_a_token_creates_a_verified_member(self, world: World, table: Table) -> None:
        token = await table.token(GALAHAD, role=Role.ADMIN)

        answer = await register(world, GALAHAD.upper(), token)

        assert answer.status_code == 201
        assert answer.json()["is_verified"] is True
        assert token not in answer.text
        assert (await table.roles())["GALAHAD"] == "admin"
        assert status_and_code(await accept(world, token, await world.sign_in(GALAHAD))) == BAD_TOKEN

    async def test_bad_token_creates_no_account(self, world: World, table: Table) -> None:
        token = await table.token(GALAHAD)

        assert status_and_code(await register(world, GALAHAD, "x" * 43)) == BAD_TOKEN
        assert status_and_code(await register(world, "mordred@camelot.example.com", token)) == OTHER_ADDRESS
        assert status_and_code(await register(world, GALAHAD, token, "short")) == (400, "REGISTER_INVALID_PASSWORD")

        assert [(await world.login(f"{name}@camelot.example.com")).status_code for name in ("galahad", "mordred")] == [
            400,
            400,
        ]
        assert (await register(world, GALAHAD, token)).status_code == 201

    async def test_response_does_not_reveal_a_taken_email_whatever_the_token(self, world: World, table: Table) -> None:
        token = await table.token(GALAHAD)
        await world.user("galahad")

        answers = [await register(world, GALAHAD, each) for each in (token, "x" * 43)]
        stranger = await register(world, "nobody@x.org", token)

        assert [each.status_code for each in answers] == [201, 400]
        assert answers[0].json()["is_verified"] is True  # as for a new user
        assert status_and_code(answers[1]) == (400, "INVITATION_BAD_TOKEN")
        assert status_and_code(stranger) == (403, "INVITATION_OTHER_ADDRESS")
        assert "galahad" not in await table.roles()
        assert [mail.email for mail in await world.mails(MailKind.ACCOUNT_EXISTS)] == [GALAHAD]

    async def test_user_who_registered_without_the_token_finds_the_invitation_after_verifying(
        self, world: World, table: Table
    ) -> None:
        await table.token(GALAHAD)
        await world.client.post("/auth/register", json={"email": GALAHAD, "password": PASSWORD})
        headers = await world.sign_in(GALAHAD)
        assert await own(world, headers) == []

        await world.client.post("/auth/request-verify-token", json={"email": GALAHAD})
        await world.client.post("/auth/verify", json={"token": (await world.token())})

        assert [each["group"]["name"] for each in await own(world, headers)] == ["Round Table"]

    async def test_user_created_by_a_superuser_ignores_the_token(self, world: World, table: Table) -> None:
        token = await table.token(GALAHAD)
        morgana = await world.sign_in(await world.user("morgana", superuser=True))
        body = {"email": GALAHAD, "password": PASSWORD, "invitation": token}

        assert (await world.client.post("/users", json=body, headers=morgana)).json()["is_verified"] is False
        assert "galahad" not in await table.roles()


async def test_audit_events_of_invitations_have_no_emails_or_tokens(
    world: World, table: Table, galahad: dict[str, str]
) -> None:
    morgana = await world.sign_in(await world.user("morgana", superuser=True))
    guinevere, galahad_id = [(await me(world, headers))["id"] for headers in (table.admin, galahad)]
    one = f"{table.path}/{(await table.invite(GALAHAD)).json()['id']}"
    await world.client.post(f"{one}/resend", headers=table.admin)
    await world.client.delete(one, headers=table.admin)
    for answer in ("decline", "accept"):
        await world.client.post(f"/invitations/{answer}", json={"token": await table.token(GALAHAD)}, headers=galahad)
    kay_id = (await register(world, "kay@x.example.com", await table.token("kay@x.example.com"))).json()["id"]

    events = (await world.client.get("/audit?limit=200", headers=morgana)).json()

    actions = [
        (each["action"].removeprefix("invitation."), each["actor_id"], each["user_id"])
        for each in reversed(events)
        if each["action"].startswith("invitation.")
    ]
    assert actions == [
        ("created", guinevere, None), ("resent", guinevere, None), ("revoked", guinevere, None),
        ("created", guinevere, None), ("declined", None, None),
        ("created", guinevere, None), ("accepted", galahad_id, galahad_id),
        ("created", guinevere, None), ("accepted", kay_id, kay_id),
    ]  # fmt: skip
    kay_events = [(each["action"], each["actor_id"]) for each in reversed(events) if each["user_id"] == kay_id]
    assert kay_events == [
        (action, kay_id)
        for action in ("user.created", "membership.created", "invitation.accepted")
    ]  # fmt: skip
    assert all(
        (each["group_id"], each["detail"]) == (table.group.id, {"role": "member"})
        for each in events
        if each["action"].startswith("invitation.")
    )
    assert "@" not in str([each["detail"] for each in events])
    assert not any(token in str(events) for _, _, token in (await world.tokens()))


async def test_registration_with_an_invitation_takes_at_most_9_statements(world: World, table: Table) -> None:
    token = await table.token(GALAHAD)
    registration = RegistrationCreate(email=GALAHAD, password=PASSWORD, invitation=token)

    async with transaction(world.sessionmaker) as db, recorded_statements(db) as statements:
        user = await RegistrationManager(db, world.passwords, world.state["settings"]).register(registration)

    assert user.is_verified
    assert (await table.roles())["galahad"] == "member"
    assert len(statements) <= 9
