"""Service accounts in exports and imports of members."""

from support.member_files import NOTHING, export_members, import_members
from support.service_accounts import Squire


async def test_export_has_them_and_can_be_imported_unchanged(squire: Squire) -> None:
    arthur = squire.people["arthur"]

    exported = await export_members(squire.world, squire.group, arthur)
    imported = await import_members(squire.world, squire.group, arthur, exported.text.replace(",owner,", ",admin,"))

    assert f"\n{squire.id},{squire.id}@service.invalid,Squire,member," in exported.text
    assert imported.json() == {"dry_run": False} | NOTHING | {"already_members": 3}


async def test_file_of_service_accounts_only_is_empty(squire: Squire) -> None:
    content = f"email\n {squire.id}@Service.Invalid \n"

    response = await import_members(squire.world, squire.group, squire.people["morgana"], content)

    assert response.json()["errors"][0]["type"] == "empty"


async def test_service_account_can_neither_import_nor_invite(squire: Squire) -> None:
    await squire.ask("PATCH", f"/../users/{squire.id}", json={"role": "admin"})
    token = await squire.sign_in(await squire.secret("members:write"))
    path, client = f"/user-groups/{squire.group.id}", squire.world.client
    mordred = squire.people["mordred"].id

    responses = [
        await client.post(f"{path}/invitations", json={"email": "enid@example.com"}, headers=token),
        await client.put(f"{path}/users/{mordred}", json={"role": "member"}, headers=token),
        await client.post(
            f"{path}/users/import", content=b"email\nenid@example.com\n", headers=token | {"Content-Type": "text/csv"}
        ),
    ]

    refused = (409, "NOT_FOR_SERVICE_ACCOUNTS")
    assert [(response.status_code, response.json()["detail"]) for response in responses] == [refused] * 3
    assert await squire.world.mails() == []
