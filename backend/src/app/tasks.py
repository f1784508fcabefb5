"""Tasks: create, list, read, change, delete; each caller sees only their own."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response, status
from sqlalchemy import delete, func, insert, select, update

from app.auth import Subject
from app.database import Database
from app.models import Task
from app.schemas import TaskIn, TaskOut, TaskPage, TaskPatch

router = APIRouter(prefix="/api/tasks", tags=["tasks"])


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


Db = Annotated[Database, Depends(_database)]
TaskId = Annotated[int, Path(ge=1, le=2**63 - 1)]


def _found(task: Task | None) -> Task:
    """Answer 404 for a task that is not there, or is somebody else's: no difference is shown."""
    if task is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no such task")
    return task


@router.post("", status_code=status.HTTP_201_CREATED, response_model=TaskOut)
def create_task(body: TaskIn, owner: Subject, database: Db, response: Response) -> Task:
    """Create a task."""
    statement = insert(Task).values(owner=owner, **body.model_dump()).returning(Task)
    with database.transaction() as session:
        task = session.execute(statement).scalar_one()
    response.headers["Location"] = f"{router.prefix}/{task.id}"
    return task


@router.get("", response_model=TaskPage)
def list_tasks(
    owner: Subject,
    database: Db,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> dict[str, object]:
    """List tasks, oldest first."""
    mine = Task.owner == owner
    page = select(Task).where(mine).order_by(Task.id).limit(limit).offset(offset)
    with database.transaction() as session:
        items = session.scalars(page).all()
        total = session.scalar(select(func.count()).select_from(Task).where(mine))
    return {"items": items, "total": total, "limit": limit, "offset": offset}


@router.get("/{task_id}", response_model=TaskOut)
def read_task(task_id: TaskId, owner: Subject, database: Db) -> Task:
    """Read one task."""
    with database.transaction() as session:
        return _found(session.scalar(select(Task).where(Task.id == task_id, Task.owner == owner)))


@router.patch("/{task_id}", response_model=TaskOut)
def change_task(task_id: TaskId, body: TaskPatch, owner: Subject, database: Db) -> Task:
    """Change the fields that were sent, in one statement: two callers cannot undo each other."""
    changes = body.model_dump(exclude_unset=True)
    if not changes:
        return read_task(task_id, owner, database)
    statement = (
        update(Task)
        .where(Task.id == task_id, Task.owner == owner)
        .values(**changes)
        .returning(Task)
    )
    with database.transaction() as session:
        return _found(session.execute(statement).scalar_one_or_none())


@router.delete("/{task_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_task(task_id: TaskId, owner: Subject, database: Db) -> None:
    """Delete one task."""
    statement = delete(Task).where(Task.id == task_id, Task.owner == owner).returning(Task)
    with database.transaction() as session:
        _found(session.execute(statement).scalar_one_or_none())
