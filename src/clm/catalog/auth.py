"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

READ = [requires(Permission("models:read", "See models, tasks and policies"))]
WRITE = [requires(Permission("models:write", "Add and edit tasks, and change policies"))]
