"""The application: `app.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database, Todo
from app.settings import Settings

TITLE = "todo-backend"
_bearer = HTTPBearer()


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Connect to nothing yet: a database that is away is readiness' affair."""
    application.state.settings = settings = Settings()
    application.state.database = Database(settings.database_url.get_secret_value())
    yield
    application.state.database.close()


app = FastAPI(title=TITLE, lifespan=_lifespan)


def _owner(token: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> str:
    secret = app.state.settings.better_auth_secret.get_secret_value()
    options = {"require": ["exp", "sub"]}
    try:
        claims = jwt.decode(token.credentials, secret, algorithms=["HS256"], options=options)
    except jwt.InvalidTokenError:
        raise HTTPException(401, "the token is not valid") from None
    return str(claims["sub"])


Owner = Annotated[str, Depends(_owner)]


class TodoIn(BaseModel):
    """A new one."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200)]


class TodoOut(BaseModel):
    """One as it is stored."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    done: bool


@app.get("/health")
@app.get("/health/live")
async def live() -> dict[str, str]:
    """Answer from the event loop: only a dead process does not."""
    return {"status": "healthy"}


@app.get("/health/ready")
def ready(response: Response) -> dict[str, str]:
    """503 while the database is away; its class alone is told."""
    try:
        app.state.database.ping()
    except SQLAlchemyError as error:
        response.status_code = 503
        return {"status": "unavailable", "reason": type(error).__name__}
    return {"status": "ready"}


@app.post("/api/todos", status_code=201)
def create(body: TodoIn, owner: Owner) -> TodoOut:
    """Add one."""
    with app.state.database.session() as session:
        todo = Todo(owner=owner, title=body.title, done=False)
        session.add(todo)
        session.commit()
        return TodoOut.model_validate(todo)


@app.get("/api/todos")
def listing(owner: Owner) -> list[TodoOut]:
    """The caller's own."""
    with app.state.database.session() as session:
        found = session.scalars(select(Todo).where(Todo.owner == owner).order_by(Todo.id))
        return [TodoOut.model_validate(todo) for todo in found]
