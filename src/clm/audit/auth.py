"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

READ = [requires(Permission("audit:read", "See the audit chain, and verify it"))]
