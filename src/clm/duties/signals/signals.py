"""All signals, by the name that an update tells as its trigger. The first that says so starts the update."""

from collections.abc import Mapping

from clm.duties.signals.parts import Parts
from clm.duties.signals.signal import Signal
from clm.duties.signals.volume import Volume

SIGNALS: Mapping[str, Signal] = {
    "parts": Parts(),
    "volume": Volume(),
}
