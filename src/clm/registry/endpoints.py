from collections.abc import Callable, Mapping

from fastapi import APIRouter
from sqlalchemy.orm import Session

from clm.core.http import DatabaseDep, SettingsDep
from clm.core.paging import Cursor, Limit
from clm.errors import TamperedArtifact
from clm.registry import auth, service
from clm.registry.schemas import Alias, ComparisonOut, ReleaseDetail, ReleaseList, ReleaseOut, VerifiedOut
from clm.registry.tables import ReleaseRow

AliasesOf = Callable[[Session], Mapping[str, Alias]]  # release id -> alias; deployment knows, the app passes it in


def create_router(aliases_of: AliasesOf) -> APIRouter:
    router = APIRouter(tags=["releases"])

    @router.get("/releases", dependencies=auth.READ)
    def list_releases(
        database: DatabaseDep, model: str | None = None, cursor: Cursor = None, limit: Limit = 200
    ) -> ReleaseList:
        """Newest first."""
        with database.read() as session:
            aliases = aliases_of(session)
            rows = service.list_rows(session, model, after=cursor, limit=limit + 1)
            items = [_out(row, aliases) for row in rows[:limit]]
        return ReleaseList(items=items, next_cursor=items[-1].release_id if len(rows) > limit else None)

    @router.get("/releases/{release_id}", dependencies=auth.READ)
    def show_release(database: DatabaseDep, release_id: str, model: str | None = None) -> ReleaseDetail:
        """By id, by the first digits of the id, or by number ("v3", together with `model`)."""
        with database.read() as session:
            row = service.get_row(session, release_id, model)
            return ReleaseDetail(**_out(row, aliases_of(session)).model_dump(), path=row.path, manifest=row.manifest)

    @router.get("/releases/{a}/compare/{b}", dependencies=auth.READ)
    def compare_releases(
        database: DatabaseDep, settings: SettingsDep, a: str, b: str, model: str | None = None
    ) -> ComparisonOut:
        """What changed from `a` to `b`: experts, router, configuration, data, scores."""
        with database.read() as session:
            return ComparisonOut.model_validate(service.compare(session, settings.home, a, b, model))

    @router.post("/releases/{release_id}:verify", dependencies=auth.READ)
    def verify_release(
        database: DatabaseDep, settings: SettingsDep, release_id: str, model: str | None = None
    ) -> VerifiedOut:
        """Compares every file of the bundle with its digest, and checks the signature."""
        with database.read() as session:
            release = service.get(session, release_id, model)
        try:
            service.verify(release, settings.home, settings.paths.keys)
        except TamperedArtifact as error:
            return VerifiedOut(release_id=release.release_id, ok=False, reason=error.sentence)
        files = len(release.manifest["files"])
        return VerifiedOut(release_id=release.release_id, ok=True, reason=f"All {files} files and the signature hold.")

    return router


def _out(row: ReleaseRow, aliases: Mapping[str, Alias]) -> ReleaseOut:
    release = service.as_release(row)
    return ReleaseOut(
        release_id=row.id,
        number=row.number,
        model=row.model,
        parent=row.parent,
        update_id=row.update_id,
        created_at=row.created_at,
        alias=aliases.get(row.id),
        base=row.manifest["base"]["reference"],
        experts=release.composition.experts,
        router_hash=release.composition.router_hash,
        verdict=row.manifest["lineage"].get("gate", {}).get("verdict"),
        mlflow_version=row.mlflow_version,
    )
