"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

READ = [requires(Permission("releases:read", "See releases, and verify them"))]
