"""The models: one registry and one metadata for SQLAlchemy and SQLModel."""

import ast
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import configure_mappers, selectinload
from sqlmodel import SQLModel, select

from accounts import models
from accounts.db.session import Sessionmaker, transaction
from accounts.models import Base, Entity, Membership, Role, User, UserGroup
from support.people import World

FOLDER = Path(models.__file__).parent


def test_sqlalchemy_and_sqlmodel_share_one_registry() -> None:
    configure_mappers()

    assert Entity.metadata is Base.metadata
    assert set(Base.metadata.tables) >= {"user", "user_group", "membership"}
    assert not SQLModel.metadata.tables  # a table that forgot Entity would be here, and in no migration


def test_every_module_of_models_is_imported() -> None:
    tree = ast.parse((FOLDER / "__init__.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported == {f"accounts.models.{path.stem}" for path in FOLDER.glob("*.py")} - {"accounts.models.__init__"}


def test_no_relationship_loads_lazily() -> None:
    lazy = {relation.lazy for mapper in Base.registry.mappers for relation in mapper.relationships}

    assert lazy == {"raise"}


def test_every_constraint_has_a_name_and_every_foreign_key_an_on_delete() -> None:
    for table in Base.metadata.tables.values():
        assert all(constraint.name for constraint in table.constraints)
        assert all(key.ondelete for key in table.foreign_keys)


class TestRelationships:
    async def test_relationships_are_navigable_from_both_sides(self, world: World) -> None:
        arthur = await world.user("arthur")
        table = await world.group("Round Table", members={arthur: Role.OWNER})

        async with world.sessionmaker() as db:
            user = (await db.exec(select(User).options(selectinload(User.groups)))).one()
            group = (
                await db.exec(
                    select(UserGroup).options(selectinload(UserGroup.memberships).selectinload(Membership.user))
                )
            ).one()

        assert [each.id for each in user.groups] == [table.id]
        assert [(each.user.email, each.role) for each in group.memberships] == [(arthur.email, Role.OWNER)]
        assert group.memberships[0].role is Role.OWNER

    async def test_relationship_that_was_not_loaded_raises(self, world: World) -> None:
        await world.user("arthur")

        async with world.sessionmaker() as db:
            user = (await db.exec(select(User))).one()

        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = user.groups


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE membership SET role = 'king'",
        "UPDATE user_group SET visibility = 'hidden'",
        "UPDATE user_group SET name = ''",
        "UPDATE \"user\" SET email = ''",
        "UPDATE membership SET user_id = gen_random_uuid()",
        "UPDATE membership SET group_id = 0",
        "INSERT INTO user_group (name, visibility) VALUES ('ROUND table', 'public')",
        'INSERT INTO "user" SELECT gen_random_uuid(), upper(email) FROM "user"',
        "UPDATE user_group SET description = NULL",
    ],
)
async def test_database_refuses_invalid_rows(world: World, statement: str) -> None:
    await world.group("Round Table", members={await world.user("arthur"): Role.OWNER})

    with pytest.raises(IntegrityError):
        await world.sql(statement)


async def test_update_changes_updated_at_only(sessionmaker: Sessionmaker) -> None:
    async with transaction(sessionmaker) as db:
        db.add(group := UserGroup(name="Round Table"))
    created_at = group.created_at

    async with transaction(sessionmaker) as db:
        group = await db.merge(group, load=False)
        group.name = "Square Table"

    assert group.created_at == created_at
