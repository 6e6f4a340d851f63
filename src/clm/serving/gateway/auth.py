"""What the endpoints of this room ask of their callers."""

from clm.core.permissions import Permission, requires

ASK = [requires(Permission("gateway:ask", "Ask models, and see which there are"))]
FEEDBACK = [requires(Permission("gateway:feedback", "Say how good an answer was"))]
