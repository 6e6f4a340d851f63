"""How far a benchmark is, on standard error: one line that is overwritten on a terminal, now and then one elsewhere."""

import sys
import time
from typing import TextIO

QUIET_SECONDS = 15.0  # between lines where nobody watches


class Progress:
    """`share` is of the whole run, in [0, 1]. What an earlier run left finished must not count for the time left."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._started = time.monotonic()
        self._at_start: float | None = None
        self._shown = float("-inf")
        self._share = 0.0  # as it was shown last
        self._width = 0

    def begin(self, share: float = 0.0) -> None:
        """Starts the clock; `share` is done already."""
        self._started, self._at_start = time.monotonic(), share

    def show(self, share: float, message: str) -> None:
        if self._at_start is None:
            self.begin(share)
        moment = time.monotonic()
        last = share >= 1 > self._share
        if not self._live and moment - self._shown < QUIET_SECONDS and not last:
            return
        self._shown, self._share = moment, share
        line = f"{100 * share:3.0f} %  {message}  {self._left(share, moment)}".rstrip()
        if self._live:
            self._out.write(f"\r{line:<{self._width}}")
            self._width = len(line)
        else:
            self._out.write(f"{line}\n")
        self._out.flush()

    def end(self) -> None:
        if self._live:
            self._out.write(f"\r{'':<{self._width}}\r")
            self._out.flush()

    def _left(self, share: float, moment: float) -> str:
        done = share - (self._at_start or 0.0)
        if done <= 0 or share >= 1:
            return ""
        seconds = (moment - self._started) * (1 - share) / done
        return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"
