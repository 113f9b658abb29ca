"""One registry and one metadata, for SQLAlchemy's declarative classes and for SQLModel's."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import DateTime, Enum, MetaData, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Field, SQLModel


class Base(DeclarativeBase):
    """Base of the declarative classes: only ``User``, because FastAPI Users asks for one."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # What the database sets (timestamps, identities) comes back with the statement that sets it.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  # declared by SQLAlchemy as an instance variable


class Entity(SQLModel, registry=Base.registry):
    """Base of every SQLModel table; shares ``Base``'s registry, so that each side can name the other's classes."""

    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}


class DeclarativeTimestamps:
    """When a row was made and last changed, by the database's clock: for a declarative class."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )


class Timestamps(SQLModel):
    """When a row was made and last changed, by the database's clock: for an SQLModel entity."""

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
    """The column type of a closed set of words: text with a CHECK, which a migration can change without a new type.

    The CHECK is called by ``name``, or else like the set.
    """
    return Enum(
        choices,
        name=name or choices.__name__.lower(),
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda enum: [each.value for each in enum],
    )
