"""What is valid to bring in."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal, Self

from flask_openapi import FileStorage
from pydantic import AfterValidator, Field, Json, StrictInt, WithJsonSchema, model_validator

from webapp.imports.kinds import KINDS
from webapp.imports.reading import MOST_COLUMNS
from webapp.validation import N_, Moment, Schema, at, refuse


def _chosen(file: Any) -> Any:
    """A field of text may have the name as well; and a browser sends an empty one if no file was chosen."""
    if not getattr(file, "filename", ""):
        raise refuse(N_("Choose a file."))
    return file


# A part of a form is a text, which is described as such: so it is taken as it is, and read by the schema alone.
UuidPart = WithJsonSchema({"type": "string", "format": "uuid"})
TextPart = WithJsonSchema({"type": "string"})
_YesOrNo = WithJsonSchema({"type": "string", "enum": ["true", "false"]})

Columns = Annotated[dict[str, StrictInt | str], Field(min_length=1, max_length=MOST_COLUMNS)]
COLUMNS = "Field -> the column it is in: its heading, or its position, counted from 0."
HAS_HEADER = "Whether the first line names the columns."


class FileSchema(Schema):
    """A file, and which of its columns is what."""

    file: Annotated[FileStorage, AfterValidator(_chosen)] = Field(description="CSV or XLSX, up to 32 MB.")
    columns: Annotated[Json[Columns] | None, TextPart] = Field(
        None, description=f"JSON, where the headings do not say it. {COLUMNS}"
    )
    has_header: Annotated[bool | None, _YesOrNo] = Field(None, description=HAS_HEADER)


class ImportSchema(FileSchema):
    """A file, and what it is about."""

    kind: Literal["dids", "tariffs", "provider_tariffs"]
    target_id: Annotated[uuid.UUID | None, UuidPart] = Field(
        None, description="The price plan of `tariffs`, the provider of `provider_tariffs`."
    )
    valid_from: Annotated[Moment | None, TextPart] = Field(
        None,
        title=N_("Valid from"),
        description="From when on tariffs count, where the file does not say it: ISO 8601; else from now on.",
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        kind = KINDS[self.kind]
        if kind.targets and self.target_id is None:
            raise at("target_id", N_("Choose one of the options."))
        if not kind.targets and self.target_id:
            raise at("target_id", N_("This field must be empty."))
        if not kind.dated and self.valid_from:
            raise at("valid_from", N_("This field must be empty."))
        return self

    @property
    def begins_at(self) -> dt.datetime | None:
        """From when on its tariffs count; None for what has no beginning."""
        if not KINDS[self.kind].dated:
            return None
        return self.valid_from or dt.datetime.now(dt.UTC).replace(microsecond=0)


class ColumnsSchema(Schema):
    """Which column of the file is what; what is left out stays as it is."""

    columns: Columns | None = Field(None, description=COLUMNS)
    has_header: bool | None = Field(None, description=HAS_HEADER)
