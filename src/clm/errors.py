"""Errors are sentences: what was found, and what to do about it.

Each class carries the HTTP status and the exit code with which it leaves the process, so that no
boundary has to translate them by hand.
"""


class ClmError(Exception):
    """Base of every error that a caller can cause or act on."""

    status = 500
    exit_code = 1
    title = "CLM could not do this"

    def __init__(self, sentence: str, **details: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details


class InvalidInput(ClmError):
    """The input breaks a stated rule; `details` may hold `line` and `field`."""

    status = 422
    exit_code = 3
    title = "Invalid input"


class NotFound(ClmError):
    """The named object does not exist; the sentence lists the known ones where that is short."""

    status = 404
    exit_code = 3
    title = "Not found"


class Conflict(ClmError):
    """The object is in another state or revision than the caller believes."""

    status = 409
    exit_code = 1
    title = "Conflict"


class Forbidden(ClmError):
    """The caller has not the permission that this needs."""

    status = 403
    title = "Not allowed"


class TooLarge(ClmError):
    """A stated size limit is exceeded; nothing was kept."""

    status = 413
    exit_code = 3
    title = "Too large"


class UnsafeModel(InvalidInput):
    """A model folder holds something that could run code (pickle, `auto_map`, remote code)."""

    title = "Unsafe model files"


class TamperedArtifact(ClmError):
    """Stored files do not match their digest or signature; they are not loaded."""

    status = 409
    title = "Artifact does not verify"


class TrainingFailed(ClmError):
    """Training stopped: non-finite loss, out of memory, or a killed job."""

    title = "Training failed"


class Unavailable(ClmError):
    """A service that is needed does not answer; trying again later can succeed."""

    status = 503
    title = "Unavailable"


class Cancelled(ClmError):
    """Somebody cancelled the update while a job of it ran."""

    title = "Cancelled"


class ClientGone(ClmError):
    """Whoever asked has left; the work was stopped."""

    status = 499  # as nginx logs it
    title = "The client has left"


def only_model(names: list[str]) -> str:
    """The one there is, for whoever leaves it out. Raises InvalidInput where there are none or several."""
    if len(names) != 1:
        known = ", ".join(names) or "none yet; make one with `clm model create NAME`"
        raise InvalidInput(f"Say which model with --model. Known: {known}.", field="model")
    return names[0]


def unknown_name(kind: str, name: str, known: list[str]) -> NotFound:
    """`NotFound` for a name, with the known names (and nothing else) as the way out."""
    listed = ", ".join(sorted(known)) if known else "none yet"
    return NotFound(f"There is no {kind} named {name!r}. Known: {listed}.", known=sorted(known))
