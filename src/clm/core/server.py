"""How every service listens: on the port that it is told, or on a free one, and it says which."""

import contextlib
import json
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI


def serve(app: FastAPI, host: str, port: int, **options: Any) -> None:
    """Serves until the process is asked to stop. Port 0 is any free one.

    The first line on stdout says in JSON where: {"host": "127.0.0.1", "port": 41234}. The port is ours from then on;
    clients are refused until the app is ready. A port that is taken ends the process with a sentence in its log.
    """
    config = uvicorn.Config(app, host=host, port=port, access_log=False, **options)
    bound = config.bind_socket()
    sys.stdout.write(json.dumps({"host": host, "port": bound.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn when it has stopped in order
        uvicorn.Server(config).run(sockets=[bound])
