"""Who comes in, and what they may do: passwords from a file, certificates from a folder, reading for everybody, one method."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.permission_rules import PermissionRuleset, User, UserRole
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge.errors import ConfigError
from edge.schema import read_secret

LOCAL = "local"
"""The name of whoever comes from this machine to a server without security."""
caller: ContextVar[str] = ContextVar("caller", default="")
"""The user whose request is being answered."""

_ALLOWED = (
    "Read", "Browse", "TranslateBrowsePathsToNodeIds", "RegisterNodes", "UnregisterNodes", "CreateSubscription",
    "ModifySubscription", "DeleteSubscriptions", "TransferSubscriptions", "CreateMonitoredItems", "ModifyMonitoredItems",
    "DeleteMonitoredItems", "SetMonitoringMode", "SetPublishingMode", "Publish", "Republish", "Call", "CloseSecureChannel",
)  # fmt: skip


class Rules(PermissionRuleset):  # type: ignore[misc]
    """Nobody writes, adds or deletes anything; remembers who asks, for the method."""

    def __init__(self) -> None:
        names = (f"{name}Request_Encoding_DefaultBinary" for name in _ALLOWED)
        self._allowed = {ua.NodeId(getattr(ua.ObjectIds, name)) for name in names}

    def check_validity(self, user: Any, action_type: Any, body: Any) -> bool:  # noqa: ARG002
        """Called by the library before each service."""
        caller.set(user.name or "")
        return user.role is UserRole.User and action_type in self._allowed


class Users:
    """Names and passwords; without any, whoever comes is LOCAL (the server listens on this machine alone).

    trusted: the client certificates (DER) that may come in; None: any. What counts is the certificate that signed the channel,
    not the one that a client shows when it asks for a session: that is public and could be anybody's.
    """

    def __init__(self, passwords: Mapping[str, str] | None, trusted: set[bytes] | None = None) -> None:
        self._passwords = passwords
        self._trusted = trusted

    def get_user(self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> User | None:  # noqa: ARG002
        """Called by the library for each session; None refuses it."""
        if self._passwords is None:
            return User(role=UserRole.User, name=LOCAL)
        if not isinstance(username, str) or (self._trusted is not None and certificate not in self._trusted):
            return None
        said = password if isinstance(password, bytes) else str(password or "").encode("utf-8", "replace")
        # An unknown name takes as long as a wrong password: how long it takes tells nobody which names there are.
        known = self._passwords.get(username)
        fits = matches(known if known is not None else _NOBODY, said)
        return User(role=UserRole.User, name=username) if fits and known is not None else None


_NOBODY = "$7$101$AAAAAAAAAAAAAAAA$AAAA"


def read_users(path: Path) -> dict[str, str]:
    """`user:password` per line; ConfigError if the file is absent, empty, malformed or readable by others."""
    text = read_secret(path, "credentials_file")
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, colon, password = line.partition(":")
        if not (user.strip() and colon and password):
            raise ConfigError(f"line {number} is no `user:password`", where=str(path), remedy="one user per line")
        if user in users:
            raise ConfigError(f"line {number}: {user} stands there twice", where=str(path), remedy="one line per user")
        users[user] = password
    if not users:
        raise ConfigError("names nobody", where=str(path), remedy="write `user:password`, one per line")
    return users


def matches(known: str, said: bytes) -> bool:
    """Whether this is the password: `known` as it is, or as mosquitto_passwd writes it (`$7$rounds$salt$hash`: PBKDF2)."""
    if not known.startswith("$7$"):
        return hmac.compare_digest(known.encode("utf-8"), said)
    try:
        rounds, salt, digest = known[3:].split("$")
        expected = base64.b64decode(digest, validate=True)
        made = hashlib.pbkdf2_hmac("sha512", said, base64.b64decode(salt, validate=True), int(rounds))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(made, expected)


def read_certificates(folder: Path) -> set[bytes]:
    """The certificates of a folder (PEM or DER), as DER. ConfigError: none, or one that is no certificate."""
    found: set[bytes] = set()
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        for path in files:
            data = path.read_bytes()
            load = x509.load_pem_x509_certificate if b"-----BEGIN" in data else x509.load_der_x509_certificate
            found.add(load(data).public_bytes(Encoding.DER))
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(folder), remedy="check the path") from None
    except ValueError as error:
        raise ConfigError(f"is no certificate ({error})", where=str(path), remedy="a PEM or DER file") from None
    if not found:
        raise ConfigError("holds no certificate", where=str(folder), remedy="put the clients' certificates there")
    return found
