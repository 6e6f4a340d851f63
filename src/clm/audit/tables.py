from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class AuditEntry(Base):
    """One change. `hash` covers every other column, `previous_hash` included: a chain."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 … without gaps
    at: Mapped[datetime]
    actor: Mapped[str]  # "cli:<user>" | "api" | "worker" | "gateway"
    action: Mapped[str] = mapped_column(index=True)  # "release.register", "deployment.rollback", …
    object_kind: Mapped[str]
    object_id: Mapped[str] = mapped_column(index=True)
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    request_id: Mapped[str | None]
    previous_hash: Mapped[str]
    hash: Mapped[str]


# No statement may change or remove an entry, nor leave a gap. (`INSERT OR REPLACE` removes without a delete trigger:
# the insert trigger stops it.) Whoever owns the file can drop the triggers; then chain and signed heads tell.
SQLITE_TRIGGERS = (
    """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
       BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END""",
    """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
       BEGIN SELECT RAISE(ABORT, 'audit entries are never removed'); END""",
    """CREATE TRIGGER audit_next_only BEFORE INSERT ON audit
       WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM audit)
       BEGIN SELECT RAISE(ABORT, 'audit entries are numbered without gaps'); END""",
)
POSTGRES_TRIGGERS = (
    """CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'audit entries are never changed or removed'; END $$""",
    """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
       FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()""",
)
