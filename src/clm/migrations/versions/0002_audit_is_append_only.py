"""audit is append-only"""

from alembic import op

from clm.audit.tables import POSTGRES_TRIGGERS, SQLITE_TRIGGERS

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for statement in SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRES_TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("audit_no_update", "audit_no_delete", "audit_next_only"):
            op.execute(f"DROP TRIGGER {name}")
    else:
        op.execute("DROP TRIGGER audit_no_change ON audit")
        op.execute("DROP FUNCTION audit_append_only")
