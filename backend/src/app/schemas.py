"""What comes in and goes out over HTTP."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.models import DESCRIPTION_LENGTH, TITLE_LENGTH

# PostgreSQL cannot store NUL in a text: refuse it here, with a message, for both databases.
NO_NUL = r"^[^\x00]*$"

Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_LENGTH, pattern=NO_NUL),
]
Description = Annotated[str, StringConstraints(max_length=DESCRIPTION_LENGTH, pattern=NO_NUL)]


class TaskIn(BaseModel):
    """A new task."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    description: Description | None = None
    done: bool = False


class TaskPatch(BaseModel):
    """The fields to change; what is left out stays. Only a description can be taken away."""

    model_config = ConfigDict(extra="forbid")

    # The defaults are never stored: only fields that were sent are (`exclude_unset`).
    title: Title = ""
    description: Description | None = None
    done: bool = False


class TaskOut(BaseModel):
    """A task as it is stored; its owner is whoever asks."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    description: str | None
    done: bool
    created_at: datetime
    updated_at: datetime


class TaskPage(BaseModel):
    """One page of tasks, oldest first, and how many there are in all."""

    items: list[TaskOut]
    total: Annotated[int, Field(ge=0)]
    limit: int
    offset: int
