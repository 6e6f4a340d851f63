"""What the machine can't do now, in a sentence: a full disk, a home that can't be written, a database that is busy."""

import errno

_OF_SYSTEM = {
    errno.ENOSPC: "The disk is full. Free some space, and say it again: what was accepted is kept.",
    errno.EDQUOT: "Your share of the disk is used up. Free some space, and say it again.",
    errno.EROFS: "It lies on a file system that can only be read. CLM writes to its home; choose another (CLM_HOME).",
    errno.EACCES: "This user may not. Ask for the right to it, or choose another home (CLM_HOME).",
    errno.EPERM: "This user may not. Ask for the right to it, or choose another home (CLM_HOME).",
    errno.ENOTDIR: "A part of this path is a file, not a folder. Choose another home (CLM_HOME).",
    errno.EEXIST: "A file has the name of a folder that CLM needs. Move it, or choose another home (CLM_HOME).",
    errno.EMFILE: "Too many files are open; raise the limit (ulimit -n).",
    errno.ENAMETOOLONG: "The path is too long.",
    errno.EADDRINUSE: "Another program listens on this port.",
}
_OF_DATABASE = {
    "database is locked": "The database is busy: another process has been writing to it for half a minute. Try again; "
    "`clm status` shows what runs on this home.",
    "disk is full": _OF_SYSTEM[errno.ENOSPC],
    "no space left": _OF_SYSTEM[errno.ENOSPC],
    "readonly database": _OF_SYSTEM[errno.EROFS],
    "unable to open database file": "The database can't be opened. Does this user have the right to CLM's home?",
    "disk i/o error": "The disk under CLM's home gives errors. Nothing more was written.",
    "not a database": "The database's file is damaged. Stop all services and restore its backup.",
    "malformed": "The database's file is damaged. Stop all services and restore its backup.",
    "connection refused": "The database server does not answer. Is it running, and is database_url right?",
    "could not translate host name": "The database server's name is not known. Is database_url right?",
    "password authentication failed": "The database server refuses this user or password. Is database_url right?",
}
_DATABASES = ("sqlalchemy", "sqlite3", "psycopg", "deltalake")


def sentence_of(error: Exception) -> str | None:
    """None: it is a mistake of ours, and where it happened is what helps."""
    if isinstance(error, OSError) and error.errno in _OF_SYSTEM:
        where = f"{error.filename}: " if error.filename else ""
        return where + _OF_SYSTEM[error.errno]
    if not type(error).__module__.startswith(_DATABASES):
        return None
    said = str(getattr(error, "orig", None) or error).lower()  # what the database itself said
    return next((sentence for part, sentence in _OF_DATABASE.items() if part in said), None)
