"""This installation's signing key: elliptic curve P-256, made on first start, readable by its owner only.

Signs release bundles (clm.registry.signing) and audit heads (clm.audit.heads). Whoever loses it can't sign new
releases that older copies of the public key accept; whoever steals it can forge both: keep `keys/` in the backup
and out of everything else.
"""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clm.core.files import sync_folder, write_bytes
from clm.errors import InvalidInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PRIVATE_KEY = "installation.pem"
PUBLIC_KEY = "installation.pub.pem"


def ensure_key(keys: Path) -> Path:
    """The private key's file, made when it is not there yet; safe when several processes start at once."""
    private = keys / PRIVATE_KEY
    if not private.exists():
        _create(private)
    return private


def public_key(keys: Path) -> Path:
    """The public key's file, derived from the private key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = keys / PUBLIC_KEY
    if not public.exists():
        pem = _load(ensure_key(keys)).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_bytes(public, pem)
    return public


def sign(keys: Path, message: bytes) -> bytes:
    """ECDSA with SHA-256, DER-encoded."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return _load(ensure_key(keys)).sign(message, ECDSA(SHA256()))


def is_signed(keys: Path, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        _load(ensure_key(keys)).public_key().verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _create(private: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle, temporary = tempfile.mkstemp(dir=private.parent, prefix=".key.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, private)  # unlike rename it fails where another process was first: its key stays
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()
    sync_folder(private.parent)


def _load(private: Path) -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private.read_bytes(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise InvalidInput(f"{private} is not a private key that CLM can use. Restore it from the backup.")
    return key
