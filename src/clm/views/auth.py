"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

READ = [requires(Permission("overview:read", "See the overview, the ledger and lineage"))]
