"""The control plane's HTTP service: `/api/v1`, events and the dashboard. `python -m clm.app`. Never imports torch."""

from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse
from sqlalchemy import text
from sqlalchemy.orm import Session

from clm import __version__
from clm.audit import endpoints as audit
from clm.catalog import endpoints as catalog
from clm.core import http, idempotency, logs, stream
from clm.core.permissions import PUBLIC, requires
from clm.deployment import endpoints as deployment
from clm.deployment import repository as deployments
from clm.errors import NotFound
from clm.ingest import endpoints as ingest
from clm.installation import Installation, open_home
from clm.monitoring import repository as monitoring
from clm.operations import endpoints as operations
from clm.registry import endpoints as registry
from clm.registry.schemas import Alias
from clm.settings import Settings
from clm.stages import endpoints as stages
from clm.updates import endpoints as updates
from clm.views import endpoints as views

DASHBOARD = Path(__file__).parent / "dashboard"
# Mantine sets style attributes; scripts and style sheets come from our own files alone.
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
health = APIRouter(tags=["health"])


def create_app(on: Installation) -> FastAPI:
    app = FastAPI(title="CLM", version=__version__, docs_url=None, redoc_url=None)
    idempotency.install(app, on.database)
    http.install(app, on.settings, on.database)  # outermost: gives every answer its request's id
    app.state.store = on.store
    for room in (views, catalog, ingest, updates, stages, operations, stream):
        app.include_router(room.router)
    app.include_router(audit.router, prefix="/api/v1")
    app.include_router(deployment.create_router(monitoring.window), prefix="/api/v1")
    app.include_router(registry.create_router(_aliases), prefix="/api/v1")
    app.include_router(health)
    _add_dashboard(app)
    return app


@health.get("/healthz", dependencies=[requires(PUBLIC)])
def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok", "version": __version__}


@health.get("/readyz", dependencies=[requires(PUBLIC)])
def readyz(database: http.DatabaseDep) -> dict[str, str]:
    """The database answers."""
    with database.read() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ready"}


def _aliases(session: Session) -> Mapping[str, Alias]:
    aliases: dict[str, Alias] = {}
    for row in deployments.list_deployments(session):
        if row.previous:
            aliases[row.previous] = "previous"
        if row.candidate:
            aliases[row.candidate] = "candidate"
        aliases[row.champion] = "champion"
    return aliases


def _add_dashboard(app: FastAPI) -> None:
    """Serves the built files; every other path that is not the API's is one of the dashboard's own pages."""

    @app.get("/{path:path}", include_in_schema=False, dependencies=[requires(PUBLIC)])
    def dashboard(request: Request, path: str) -> Response:
        if path.startswith("api/"):
            raise NotFound(f"There is no {request.method} /{path}. The API is described at /openapi.json.")
        if not (DASHBOARD / "index.html").exists():
            raise NotFound("The dashboard is not built. `make setup` builds it.")
        file = (DASHBOARD / path).resolve()
        if not file.is_relative_to(DASHBOARD) or not file.is_file():
            file = DASHBOARD / "index.html"
        hashed = file.parent.name == "assets"  # its name changes with its content
        cache = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return FileResponse(file, headers={**SECURITY, "Cache-Control": cache})


def main() -> None:
    from clm.core.server import serve

    logs.configure()
    settings = Settings.load()
    serve(create_app(open_home(settings)), settings.host, settings.api_port, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
