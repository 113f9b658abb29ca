"""Natural code of those who extend the service: what it forgets to check is a 4xx with a stable code, and is logged."""

import logging
import re
import sys
import uuid
from collections.abc import AsyncIterator
from functools import cache
from types import NoneType
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi_users import exceptions
from fastapi_users.exceptions import FastAPIUsersException
from pydantic import BaseModel
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import SQLModel, select

import conftest
from accounts.api import app as app_module
from accounts.api.app import create_app
from accounts.api.authentication import FASTAPI_USERS_ERRORS, FastAPIUsersManager
from accounts.api.dependencies import DbDep, UserManagerDep
from accounts.api.openapi import tags_of
from accounts.db.session import Sessionmaker
from accounts.db.statements import CompiledStatement
from accounts.models import Membership, Role, UserGroup, Visibility
from support.people import World

router = APIRouter()  # without a tag
DESCRIBED: dict[int | str, dict[str, Any]] = {
    400: {"description": "Blunt."}, 422: {"description": "Broken."}, 503: {"model": NoneType},
}  # fmt: skip
BY_NUMBER = CompiledStatement("SELECT CAST(:number AS integer)")


class Sword(SQLModel):
    title: str


class NewGroup(BaseModel):
    name: str | None = "Swords"
    visibility: str = "private"


@router.post("/swords/groups")
async def forge_group(group: NewGroup, db: DbDep) -> None:
    db.add(UserGroup(**group.model_dump()))


@router.post("/swords/members")
async def arm_member(group_id: int, user_id: uuid.UUID, db: DbDep) -> None:
    db.add(Membership(group_id=group_id, user_id=user_id, role=Role.MEMBER))


@router.get("/swords/groups/{group_id}")
async def read_armoury(group_id: str, db: DbDep) -> str:
    return (await db.exec(select(UserGroup).where(UserGroup.id == int(group_id)))).one().name


@router.get("/swords/numbers/{number}")
async def weigh(number: int, db: DbDep) -> int:
    [(read,)] = await BY_NUMBER.run(db, number=number)
    return int(read)


@router.get("/swords/bug")
async def break_sword(db: DbDep) -> None:
    await db.get(UserGroup, "a number")


@router.get("/swords/users/{user_id}")
async def read_smith(user_id: uuid.UUID, users: UserManagerDep) -> str:
    return (await FastAPIUsersManager(users).get(user_id)).email


@router.get("/swords/raise/{name}")
async def raise_sword(name: str) -> None:
    if name == StaleDataError.__name__:
        raise StaleDataError
    error = getattr(exceptions, name)
    raise error("Too short") if error is exceptions.InvalidPasswordException else error


@router.post("/swords", responses=DESCRIBED)
async def add_sword(body: dict[str, object]) -> None:
    Sword.model_validate(body)


@cache
def extended() -> FastAPI:
    app = create_app()
    app.include_router(router)
    return app


@pytest.fixture
async def world(sessionmaker: Sessionmaker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(conftest, "application", extended)
    async with conftest.world_of(sessionmaker) as world:
        yield world


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x" * 1000},
        {"name": "a\0b"},
        {"name": ""},
        {"name": None},
        {"visibility": "nowhere"},
        {"visibility": "x" * 100},
    ],
)
async def test_value_that_does_not_fit_its_column_is_unprocessable(
    world: World, change: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await world.client.post("/swords/groups", json=change)

    assert (response.status_code, response.json()["detail"]) == (422, "INVALID_VALUE")
    assert response.headers["Content-Type"] == "application/problem+json"
    [record] = [record for record in caplog.records if record.name == "accounts"]
    assert re.match(r"unforeseen INVALID_VALUE: \w+Error\b.*\n  File ", record.getMessage())
    assert "Failing row" not in caplog.text


@pytest.mark.parametrize("path", ["groups/9", "numbers/"])
async def test_number_that_is_out_of_range_is_unprocessable(world: World, path: str) -> None:
    response = await world.client.get(f"/swords/{path}{10**30}")

    assert (response.status_code, response.json()["detail"]) == (422, "INVALID_VALUE")


async def test_unique_or_foreign_key_that_is_violated_is_a_conflict(world: World) -> None:
    await world.group("Round Table", Visibility.PUBLIC)

    taken = await world.client.post("/swords/groups", json={"name": "ROUND table", "visibility": "public"})
    dangling = await world.client.post("/swords/members", params={"group_id": 1, "user_id": str(uuid.uuid4())})
    stale = await world.client.get(f"/swords/raise/{StaleDataError.__name__}")

    assert [(each.status_code, each.json()["detail"]) for each in (taken, dangling, stale)] == [(409, "CONFLICT")] * 3


async def test_row_or_user_that_does_not_exist_is_not_found(world: World) -> None:
    row = await world.client.get("/swords/groups/0")
    user = await world.client.get(f"/swords/users/{uuid.uuid4()}")

    assert (row.status_code, row.json()["detail"]) == (404, "NOT_FOUND")
    assert (user.status_code, user.json()["detail"]) == (404, "USER_NOT_FOUND")


async def test_parameter_of_the_wrong_type_is_a_bug_and_a_500(world: World) -> None:
    assert (await world.client.get("/swords/bug")).status_code == 500


@pytest.mark.parametrize("error", FastAPIUsersException.__subclasses__())
async def test_every_exception_of_fastapi_users_is_a_problem_with_a_code(world: World, error: type[Exception]) -> None:
    response = await world.client.get(f"/swords/raise/{error.__name__}")

    assert 400 <= response.status_code < 500
    assert response.json()["detail"] == FASTAPI_USERS_ERRORS[error].code
    assert response.json().get("reason") == ("Too short" if error is exceptions.InvalidPasswordException else None)


async def test_entity_that_a_route_validates_is_unprocessable_and_no_value_is_repeated(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    response = await world.client.post("/swords", json={"title": ["s3cret"]})

    [error] = response.json()["errors"]
    assert (response.status_code, response.json()["detail"]) == (422, "REQUEST_INVALID")
    assert error["loc"] == ["body", "title"]
    assert "s3cret" not in response.text + caplog.text
    assert "invalid Sword in a route" in caplog.text


async def test_router_without_tags_is_documented(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "ROUTE_MODULES", (*app_module.ROUTE_MODULES, sys.modules[__name__]))

    document = create_app().openapi()

    operation = document["paths"]["/swords"]["post"]
    assert operation["operationId"] == "add_sword"
    assert {"application/json", "application/problem+json"} == operation["responses"]["503"]["content"].keys()
    assert operation["responses"]["400"]["description"].startswith("Blunt.")
    assert (await world.client.get("/openapi.json")).status_code == 200


def test_module_without_a_docstring_has_a_tag_without_a_description() -> None:
    module = type(logging)("swords")
    module.router = APIRouter(tags=["swords"])  # type: ignore[attr-defined]

    assert tags_of(module) == [{"name": "swords", "description": ""}]
