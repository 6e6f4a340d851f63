"""Ids that sort by creation time: `prefix_` + 9 characters of milliseconds + 9 random, Crockford base 32."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(value: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        digits = _ALPHABET[value & 31] + digits
        value >>= 5
    return digits


def new_id(prefix: str) -> str:
    return f"{prefix}_{_base32(time.time_ns() // 1_000_000, 9)}{_base32(secrets.randbits(45), 9)}"
