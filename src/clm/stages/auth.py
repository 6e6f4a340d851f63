"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

READ = [requires(Permission("memory:read", "See what updates learn from again"))]
MAKE = [requires(Permission("models:make", "Make models from bases"))]
MEASURE = [requires(Permission("impact:measure", "Measure what adding or removing a task would do"))]
REMOVE = [requires(Permission("tasks:remove", "Remove tasks that no expert serves"))]
ROLL_OUT = [requires(Permission("rollouts:start", "Begin to move traffic to a release"))]
