"""Signatures over whole folders: every file's SHA-256 in a signed in-toto statement (OpenSSF model signing, offline).

model-signing takes about a second to import, so only what signs or verifies does that.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from clm.core import keys as installation_keys
from clm.core.files import sync_file
from clm.errors import TamperedArtifact

if TYPE_CHECKING:
    from model_signing import hashing

SIGNATURE = "model.sig"  # lies inside the folder, and is the only file that it does not cover


def ensure_key(keys: Path) -> Path:
    """The private key's file, made on first start."""
    return installation_keys.ensure_key(keys)


def sign(folder: Path, keys: Path) -> Path:
    """Signs every file of the folder with the installation's key, and returns the signature's file."""
    from model_signing import signing

    signature = folder / SIGNATURE
    config = signing.Config().use_elliptic_key_signer(private_key=ensure_key(keys))
    config.set_hashing_config(_hashing()).sign(folder, signature)
    sync_file(signature)
    return signature


def verify(folder: Path, keys: Path) -> None:
    """Raises TamperedArtifact where a file was changed, added or removed, or where another key signed."""
    from model_signing import verifying

    signature = folder / SIGNATURE
    if not signature.is_file():
        raise TamperedArtifact(f"{folder.name} has no signature ({SIGNATURE}), so it is not loaded.")
    config = verifying.Config().use_elliptic_key_verifier(public_key=installation_keys.public_key(keys))
    try:
        config.set_hashing_config(_hashing()).verify(folder, signature)
    except Exception as error:  # a broken signature file makes the library raise whatever its parsers raise
        raise TamperedArtifact(
            f"The signature of {folder.name} does not verify ({type(error).__name__}): files were changed, or it was "
            "signed by another installation's key. It is not loaded."
        ) from error


def _hashing() -> "hashing.Config":
    from model_signing import hashing

    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
