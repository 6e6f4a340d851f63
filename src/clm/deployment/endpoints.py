"""HTTP of deployments. What was seen in traffic comes from monitoring, which the application passes in."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from clm.core.clock import now
from clm.core.http import CallerDep, DatabaseDep, SettingsDep
from clm.core.paging import Cursor, Limit, cut
from clm.deployment import auth, repository, rollout, service
from clm.deployment.schemas import (
    ActionBody,
    AllowedAction,
    DeploymentList,
    DeploymentView,
    MovedView,
    RolloutView,
    TrafficView,
    rollout_view,
)
from clm.deployment.switch import move_traffic
from clm.deployment.tables import Deployment, RolloutRow
from clm.records import TrafficWindow

WindowReader = Callable[[Session, str, datetime], TrafficWindow]  # session, release id, since
RECENT = timedelta(minutes=15)  # window of the traffic table where no rollout sets it

ModelName = Annotated[str, Path(max_length=63)]


def create_router(window: WindowReader) -> APIRouter:
    """Routes under /deployments; `window` is clm.monitoring.repository.window."""
    router = APIRouter(tags=["deployments"])

    @router.get("/deployments", dependencies=auth.READ)
    def list_deployments(database: DatabaseDep, cursor: Cursor = None, limit: Limit = 200) -> DeploymentList:
        with database.read() as session:
            page, following = cut(repository.list_deployments(session), lambda row: row.model, cursor, limit)
            return DeploymentList(items=[view(session, row, window) for row in page], next_cursor=following)

    @router.get("/deployments/{model}", dependencies=auth.READ)
    def show_deployment(model: ModelName, database: DatabaseDep) -> DeploymentView:
        with database.read() as session:
            return view(session, repository.get_deployment(session, model), window)

    for action in service.ACTIONS:
        router.add_api_route(
            f"/deployments/{{model}}:{action}",
            _mover(action, window),
            methods=["POST"],
            response_model=MovedView,
            name=f"{action}_deployment",
            dependencies=auth.MOVE,
        )
    return router


def _mover(action: str, window: WindowReader) -> Callable[..., MovedView]:
    def move(
        model: ModelName,
        database: DatabaseDep,
        settings: SettingsDep,
        caller: CallerDep,
        body: ActionBody | None = None,
    ) -> MovedView:
        request = body or ActionBody()
        moved = move_traffic(database, settings, caller, model, action,
                             request.expected_revision, request.to, request.reason)  # fmt: skip
        with database.read() as session:
            seen = view(session, repository.get_deployment(session, model), window)
        return MovedView(**seen.model_dump(), rollback_ms=moved.milliseconds if action == "rollback" else None)

    return move


def view(session: Session, deployment: Deployment, window: WindowReader) -> DeploymentView:
    """A deployment with its rollout, its traffic since the step began (or of the last 15 minutes), and its history."""
    row = repository.get_rollout(session, deployment.rollout_id) if deployment.rollout_id else None
    moment = now()
    since = row.step_started_at if row is not None else moment - RECENT
    shares = {deployment.champion: 100.0 - deployment.candidate_share}
    if deployment.candidate:
        shares[deployment.candidate] = deployment.candidate_share

    def traffic(release_id: str, share: float) -> TrafficView:
        seen = window(session, release_id, since)
        return TrafficView(
            release_id=release_id, share=share, window_seconds=(moment - since).total_seconds(), **seen.__dict__
        )

    return DeploymentView(
        model=deployment.model,
        champion=deployment.champion,
        previous=deployment.previous,
        candidate=deployment.candidate,
        candidate_share=deployment.candidate_share,
        revision=deployment.revision,
        updated_at=deployment.updated_at,
        rollout=_rollout_view(row) if row is not None else None,
        traffic=[traffic(release, share) for release, share in shares.items()],
        history=[_rollout_view(r) for r in repository.history(session, deployment.model)],
        allowed_actions=[AllowedAction(**a) for a in service.allowed_actions(deployment, row)],
        as_of=moment,
    )


def _rollout_view(row: RolloutRow) -> RolloutView:
    state = service.as_rollout(row)
    return rollout_view(row, state.shares, rollout.allowed_actions(state.state))
