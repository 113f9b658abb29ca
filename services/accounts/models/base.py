"""Base classes. SQLAlchemy's declarative classes and SQLModel's entities share one registry and one metadata."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import BindParameter, ColumnElement, DateTime, Enum, MetaData, collate, func, literal
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Field, SQLModel

# Sorts alike on every server, with a common prefix together, as prefix searches need.
COLLATION = "pg_c_utf8"


class Base(DeclarativeBase):
    """Base of the declarative classes. Only ``User`` is one, since FastAPI Users requires it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # INSERT and UPDATE return the values that the database sets, such as timestamps and identities.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  # declared by SQLAlchemy as an instance variable


class Entity(SQLModel, registry=Base.registry):
    """Base of every SQLModel table. It shares the registry of ``Base``, so that relationships can cross."""

    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}


class DeclarativeTimestamps:
    """Creation and update times, by the database's clock, for a declarative class."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )


class Timestamps(SQLModel):
    """Creation and update times, by the database's clock, for an SQLModel entity."""

    created_at: datetime = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        nullable=False,
        sa_column_kwargs={"server_default": func.now()},
    )
    updated_at: datetime = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        nullable=False,
        sa_column_kwargs={"server_default": func.now(), "onupdate": func.now()},
    )


def one_of(choices: type[StrEnum], name: str | None = None) -> Enum:
    """Return the column type of an enumeration: text with a CHECK, which is easier to migrate than a PostgreSQL enum.

    ``name`` is the name of the CHECK; by default, that of the enumeration.
    """
    return Enum(
        choices,
        name=name or choices.__name__.lower(),
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda enum: [member.value for member in enum],
    )


def folded(value: str | BindParameter[str]) -> ColumnElement[str]:
    """Lower the case of a value to compare with a lowered column, by the same rules on every server."""
    return func.lower(collate(literal(value) if isinstance(value, str) else value, COLLATION))
