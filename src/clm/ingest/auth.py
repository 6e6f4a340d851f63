"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

READ = [requires(Permission("data:read", "See deliveries, refusals, contradictions and sources"))]
WRITE = [requires(Permission("data:write", "Bring rows, and take rows out"))]
DECIDE = [requires(Permission("data:decide", "Decide contradictions"))]
SOURCES = [requires(Permission("data:sources", "Add sources"))]
