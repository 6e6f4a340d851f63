"""HTTP of operations: how what was asked for stands."""

from fastapi import APIRouter

from clm.core.http import DatabaseDep
from clm.core.paging import Cursor, Limit
from clm.operations import auth, repository, service
from clm.operations.schemas import OperationOut, OperationPage

router = APIRouter(prefix="/api/v1/operations", tags=["operations"])


@router.get("", dependencies=auth.READ)
def list_operations(database: DatabaseDep, cursor: Cursor = None, limit: Limit = 50) -> OperationPage:
    """Newest first."""
    with database.read() as session:
        rows = repository.newest(session, before=cursor, limit=limit + 1)
    items = [OperationOut.model_validate(row) for row in rows[:limit]]
    return OperationPage(items=items, next_cursor=items[-1].id if len(rows) > limit else None)


@router.get("/{operation_id}", dependencies=auth.READ)
def get_operation(operation_id: str, database: DatabaseDep) -> OperationOut:
    with database.read() as session:
        return OperationOut.model_validate(service.get(session, operation_id))
