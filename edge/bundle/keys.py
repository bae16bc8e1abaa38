"""Ed25519 keys (RFC 8032): the private one that signs, in PEM, and the list of public ones that a station believes.

The list has a line for each key, as OpenSSH's authorized_keys has: `ed25519 BASE64 USES NAME`, USES being `bundle`, `recipe`
or both with a comma between. A new key is a line more, a lost one a line less.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from edge.errors import ConfigError
from edge.schema import read_secret, read_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SignedKind = Literal["bundle", "recipe"]
USES: Final[tuple[SignedKind, ...]] = get_args(SignedKind)
MAX_KEYS: Final = 100
_WORD: Final = "ed25519"
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f#]{1,80}")
_LINE: Final = "write `ed25519 KEY bundle,recipe NAME`, as `lineclear trust keygen` prints it"


@dataclass(frozen=True)
class TrustedKey:
    """A public key that is believed, and for what. key_id: the first 16 hex digits of its SHA-256."""

    name: str
    uses: frozenset[SignedKind]
    public: bytes

    @property
    def key_id(self) -> str:
        """What signatures name it by."""
        return key_id_of(self.public)

    def line(self) -> str:
        """As it stands in the list."""
        uses = ",".join(use for use in USES if use in self.uses)
        return f"{_WORD} {base64.b64encode(self.public).decode()} {uses} {self.name}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """True if this key signed the message. ConfigError: no `cryptography` here."""
        try:
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        except ImportError:
            raise _no_package() from None
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A private key. It is shown nowhere: not in a repr, not in an error."""

    def __init__(self, path: Path) -> None:
        """ConfigError: no such file, readable by others, no ed25519 key in PEM, or no `cryptography` here."""
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise _no_package() from None
        text = read_secret(path, "signing_key")
        remedy = "make one: lineclear trust keygen"
        try:
            key = load_pem_private_key(text.encode(), password=None)
        except TypeError:
            raise ConfigError("is protected by a passphrase", where=str(path), remedy="a station cannot type it") from None
        except (ValueError, NotImplementedError):
            raise ConfigError("holds no private key in PEM", where=str(path), remedy=remedy) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError("holds a key of another kind than ed25519", where=str(path), remedy=remedy)
        self._key: Ed25519PrivateKey = key
        self.public: bytes = key.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        """What its signatures name it by."""
        return key_id_of(self.public)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


def key_id_of(public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the 32 bytes of a public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def make_key(path: Path, name: str, uses: frozenset[SignedKind]) -> TrustedKey:
    """A new key pair: the private key in `path` (mode 600, never over a file that is there), the line for the list beside it
    in `path.pub`. ConfigError: a name that fits no line, a file that is there, a place that cannot be written.
    """
    if not _NAME.fullmatch(name) or name != name.strip():
        raise ConfigError("is no name for a key", where=repr(name[:80]), remedy="1 to 80 letters on one line, without #")
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    except ImportError:
        raise _no_package() from None
    key = Ed25519PrivateKey.generate()
    made = TrustedKey(name, uses, key.public_key().public_bytes_raw())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = path.with_name(f"{path.name}.pub")
    for file, data, mode in ((path, pem, 0o600), (public, f"{made.line()}\n".encode(), 0o644)):
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as stream:
                os.fchmod(stream.fileno(), mode)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except FileExistsError:
            remedy = "choose another name: a key that is lost cannot be made again"
            raise ConfigError("is there already", where=str(file), remedy=remedy) from None
        except OSError as error:
            raise ConfigError(f"cannot be written ({error.strerror})", where=str(file), remedy="choose another place") from None
    return made


def read_trusted(path: Path) -> tuple[TrustedKey, ...]:
    """The keys of a list. ConfigError: absent, writable by others, empty, or a line that is none."""
    text = read_text(path, 65_536)
    _refuse_writable(path)
    found: dict[str, TrustedKey] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key = _trusted(line, f"{path}: line {number}")
        if key.key_id in found:
            raise ConfigError(f"line {number}: this key stands there twice", where=str(path), remedy="leave one of them")
        found[key.key_id] = key
    if not found or len(found) > MAX_KEYS:
        raise ConfigError(f"holds {len(found)} keys", where=str(path), remedy=f"1 to {MAX_KEYS}: {_LINE}")
    return tuple(found.values())


def _trusted(line: str, where: str) -> TrustedKey:
    word, key, listed, name = (*line.strip().split(maxsplit=3), "", "", "", "")[:4]
    uses = frozenset(use for use in USES if use in listed.split(","))
    try:
        public = base64.b64decode(key, validate=True)
    except (ValueError, binascii.Error):
        public = b""
    if word != _WORD or len(public) != 32 or not _NAME.fullmatch(name) or not uses or set(listed.split(",")) - set(USES):
        raise ConfigError("is no trusted key", where=where, remedy=_LINE)
    return TrustedKey(name, uses, public)


def _refuse_writable(path: Path) -> None:
    """Who may write the list decides what this station believes."""
    status = path.stat()
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise ConfigError(f"can be written by others than its owner (mode {mode})", where=str(path), remedy=f"chmod 644 {path}")


def _no_package() -> ConfigError:
    remedy = "pip install 'lineclear[signing]', or take `trust` out of the config, which takes unsigned recipes again"
    return ConfigError("signatures need the package cryptography, which is not installed", where="trust", remedy=remedy)
