"""Drops what nobody needs any more, so that nothing grows because time goes by."""

import shutil
import time
from datetime import timedelta

import clm
from clm.core import events, idempotency
from clm.core.clock import now
from clm.deployment import repository as deployments
from clm.duties.duty import Duty
from clm.ingest import spool
from clm.monitoring import repository as monitoring
from clm.updates import repository as update_rows

EVENTS_KEPT = 10_000  # the newest stay, however old they are
DETAIL = timedelta(days=30)  # how long traffic is kept by minute and hour, beside what a rollout under way still needs
OLD_ANSWERS = timedelta(days=30)  # how long an evaluator's answers stay unused
DYING = timedelta(hours=1)  # how long a process of an update that has ended may still write


class Retention(Duty):
    def tick(self) -> None:
        with self.on.database.transaction() as session:
            idempotency.prune(session, now() - idempotency.KEPT)
            events.prune(session, now() - timedelta(days=self.on.settings.event_days), EVENTS_KEPT)
        with self.on.database.transaction() as session:
            steps = [rollout.step_started_at for rollout in deployments.rollouts_under_way(session)]
            monitoring.prune_detail(session, min([now() - DETAIL, *steps]))
        spool.drop_forgotten(self.on.database, self.on.settings)
        self._drop_checkpoints()
        self._drop_old_answers()

    def _drop_checkpoints(self) -> None:
        """Of updates that have ended, which go on from none; and what a killed look at an impact left."""
        with self.on.database.read() as session:
            ended = update_rows.ended_before(session, now() - DYING)
        for update_id in ended:
            for folder in list((self.on.paths.updates / update_id).rglob("checkpoints")):
                shutil.rmtree(folder, ignore_errors=True)
        for folder in self.on.paths.updates.glob("impact-*"):
            if time.time() - folder.stat().st_mtime > timedelta(days=1).total_seconds():
                shutil.rmtree(folder, ignore_errors=True)

    def _drop_old_answers(self) -> None:
        """Those that another version of CLM gave are asked for by none but that one: an upgrade may be taken back."""
        for file in self.on.paths.answers.glob("*.db*"):
            if (
                f"-{clm.__version__}.db" not in file.name
                and time.time() - file.stat().st_mtime > OLD_ANSWERS.total_seconds()
            ):
                file.unlink(missing_ok=True)
