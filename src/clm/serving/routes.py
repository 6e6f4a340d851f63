"""The routes that gateway and engine follow: routes.json, see clm.formats.routes. No database is needed."""

import logging
import threading
from pathlib import Path

from clm.formats.routes import Routes, read_routes

log = logging.getLogger(__name__)


class RoutesFile:
    """Reads the file again when it was replaced, which costs one `stat` a look. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._routes = Routes()

    def current(self) -> Routes:
        """The newest routes; none before the first deployment. A file that can't be read keeps the ones before."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return self._routes
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        with self._lock:
            if stamp != self._stamp:
                try:
                    self._routes = read_routes(self._path.read_text(encoding="utf-8"))
                except (OSError, ValueError, KeyError, TypeError) as error:
                    log.error("routes.json can't be read, the routes of before stay: %s", error)
                self._stamp = stamp
            return self._routes
