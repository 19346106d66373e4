"""The Flask extensions, created once and bound to the application in create_app(); the base of the models."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any, ClassVar

import psycopg2.extensions
from flask_babel import Babel
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import DateTime, MetaData, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column


class Base(DeclarativeBase):
    """The base of every model. Constraints get names, because a broken one becomes a message at a field."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


Base.registry.update_type_annotation_map({dt.datetime: DateTime(timezone=True), str: Text()})


class Amount(Decimal):
    """A number of the database's, written as it is there: 0.00000001 where Decimal itself would write 1E-8."""

    def __str__(self) -> str:
        return format(self, "f")


def _amount(text: Any, _cursor: object) -> Amount | None:
    return None if text is None else Amount(text)


psycopg2.extensions.register_type(psycopg2.extensions.new_type(psycopg2.extensions.DECIMAL.values, "AMOUNT", _amount))


class Managed:
    """A thing an operator manages: it has an id, a version that tells two editors apart, and its dates."""

    # Relationships that must be empty before the thing may be deleted. Those that hold many things say
    # passive_deletes="all": a foreign key keeps them, and nobody has to load them.
    DEPENDENTS: ClassVar[tuple[str, ...]] = ()

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=func.gen_random_uuid(), sort_order=-1
    )
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.version}


# A save writes related rows itself, in an order of its own; flushing early would show half of it.
db = SQLAlchemy(model_class=Base, session_options={"autoflush": False})
babel = Babel()
csrf = CSRFProtect()
login = LoginManager()
