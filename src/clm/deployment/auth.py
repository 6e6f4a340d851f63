"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

READ = [requires(Permission("deployments:read", "See who serves"))]
MOVE = [requires(Permission("deployments:move", "Move traffic between releases"))]
