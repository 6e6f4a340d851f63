from typing import Annotated

from fastapi import APIRouter, Query

from clm.audit import auth, repository, service
from clm.audit.schemas import AuditEntryOut, AuditPage, VerificationOut
from clm.core.http import DatabaseDep, SettingsDep

router = APIRouter(tags=["audit"])


@router.get("/audit", dependencies=auth.READ)
def list_entries(
    database: DatabaseDep,
    cursor: Annotated[int | None, Query(ge=1, le=2**62, description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    object_id: str | None = None,
    action: str | None = None,
) -> AuditPage:
    """Who changed what, newest first."""
    with database.read() as session:
        entries = repository.page(session, before=cursor, limit=limit + 1, object_id=object_id, action=action)
    items = [AuditEntryOut.model_validate(entry) for entry in entries[:limit]]
    return AuditPage(items=items, next_cursor=items[-1].sequence if len(entries) > limit else None)


@router.post("/audit:verify", dependencies=auth.READ)
def verify(database: DatabaseDep, settings: SettingsDep) -> VerificationOut:
    """Reads the whole chain and compares it with the signed heads."""
    with database.read() as session:
        return VerificationOut.model_validate(service.verify(session, settings.paths))
