"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

SERVE = [requires(Permission("engine:serve", "Have releases answer, for the gateway and for rollouts"))]
FAULT = [requires(Permission("engine:fault", "Switch faults on and off, for drills"))]
