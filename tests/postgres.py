"""A PostgreSQL server of the tests' own, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text


def _programs() -> Path | None:
    """Debian keeps them out of the PATH, by version."""
    found = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parent.parent.name))
    return Path(found).parent if found else versions[-1].parent if versions else None


@contextmanager
def server() -> Generator[str | None]:
    """Listens on a socket alone. Gives the URL of a database without its name; None: not installed."""
    programs = _programs()
    if programs is None:
        yield None
        return
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="clm-postgres-"))
    if user:
        shutil.chown(folder, user)

    def run(program: str, *words: str) -> None:
        subprocess.run([programs / program, "-D", folder / "data", *words], check=True, user=user, cwd=folder,
                       stdout=subprocess.DEVNULL)  # fmt: skip

    try:
        run("initdb", "-A", "trust", "-U", "clm", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-k {folder} -h '' -F", "start")
        try:
            yield f"postgresql+psycopg://clm@/{{}}?host={folder}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def new_database(url: str, name: str) -> str:
    """The URL of a new, empty database on that server."""
    engine = create_engine(url.format("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return url.format(name)
