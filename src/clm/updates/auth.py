"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

READ = [requires(Permission("updates:read", "See updates and their logs"))]
WRITE = [requires(Permission("updates:write", "Start and cancel updates"))]
