"""What all documents of the API share."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Item = TypeVar("Item")

LARGEST_ID = 2**63 - 1
"""The largest number that SQLite can hold, here and in Stash."""

SceneId = Annotated[int, Field(ge=1, le=LARGEST_ID, description="The id of a scene in Stash.")]
RowId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
EpochS = Annotated[float, Field(description="Seconds since 1970, UTC.")]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Document(BaseModel):
    """A document that callers read; a later version may have more in it."""

    model_config = ConfigDict(frozen=True)


class Wish(BaseModel):
    """A document that callers send; what is misspelt in it is refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Document, Generic[Item]):
    """A part of a long list; ``next_cursor`` asks for what follows, null at the end."""

    items: list[Item]
    next_cursor: str | None = None


class Count(Document):
    """How many were concerned."""

    count: int = Field(ge=0)


class Problem(Document):
    """What went wrong (RFC 9457); ``detail`` says what to do about it where something can be done."""

    type: str = Field(description="A URN that names the kind of problem, for programs.")
    title: str
    status: int
    detail: str = ""
    errors: list[str] = Field(default=[], description="Each thing that is wrong with a request.")
