"""Starts the oldest waiting update of each model that has none running."""

from clm.duties.duty import Duty
from clm.updates import repository as update_rows
from clm.updates import service as updates


class Queue(Duty):
    def tick(self) -> None:
        with self.on.database.read() as session:
            waiting = update_rows.list_updates(session, state="queued", limit=1000)
            next_up = {u.model: u for u in waiting}  # newest first, so the oldest stays
            busy = {m for m in next_up if any(u.state != "queued" for u in updates.under_way(session, m))}
        for model, update in next_up.items():
            if model not in busy:
                self.start(update.id)
