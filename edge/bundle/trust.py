"""Signatures over content hashes: who vouches for a bundle or a recipe, and whether this station believes them.

`signatures.json` lies beside what it signs and is no part of it, so a bundle keeps its name when it is signed, and several
people and keys can sign the same content. Signed is `lineclear/signature/1`, the kind, the content hash, who and when: a
signature for a bundle is none for a recipe, and nothing in the file can be changed without breaking it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from edge.bundle.files import SIGNATURES
from edge.bundle.keys import SignedKind, SigningKey, TrustedKey, read_trusted
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.schema import Closed, load_json, validate
from edge.settings.trust import TrustSettings

SCHEMA: Final = "lineclear/signatures/1"
STATEMENT: Final = "lineclear/signature/1"
_SIGN: Final = "sign it: lineclear trust sign"


class Signature(Closed):
    """One signature. key: id of the key. by, at: who says so and when, signed with the rest."""

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    by: Annotated[str, Field(min_length=1, max_length=200)]
    at: AwareDatetime
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]

    def message(self, kind: SignedKind, digest: str) -> bytes:
        """What was signed."""
        return _statement(kind, digest, self.by, self.at)


class SignatureFile(Closed):
    """`signatures.json`."""

    schema_version: Literal["lineclear/signatures/1"] = Field("lineclear/signatures/1", alias="schema")
    signatures: tuple[Signature, ...] = Field(max_length=20)


class Trust:
    """What a station believes. List and key are read anew each time: a key that was taken out counts no more, and a file that
    cannot be read refuses recipes, not the station's start.
    """

    def __init__(self, settings: TrustSettings) -> None:
        self._settings = settings

    @classmethod
    def of(cls, settings: TrustSettings | None) -> Trust | None:
        """None where the config has none."""
        return cls(settings) if settings is not None else None

    def problem(self, kind: SignedKind, digest: str, folder: Path) -> tuple[str, str] | None:
        """(what is wrong, what to do), None if a trusted key signed this content. ConfigError: the list cannot be read."""
        return problem_of(kind, digest, folder, read_trusted(self._settings.trusted_keys))

    def need_signer(self) -> SigningKey:
        """The station's own key. ConfigError: it has none, or one that its own list does not believe."""
        path = self._settings.signing_key
        if path is None:
            message = "this station takes signed recipes only and has no key to sign a change with"
            raise ConfigError(message, where="trust.signing_key", remedy="make one: lineclear trust keygen")
        signer = SigningKey(path)
        keys = read_trusted(self._settings.trusted_keys)
        if not any(key.public == signer.public and "recipe" in key.uses for key in keys):
            remedy = f"add the line of {path}.pub to trusted_keys, for `recipe`"
            raise ConfigError("is not trusted for recipes here", where=str(path), remedy=remedy)
        return signer


def problem_of(kind: SignedKind, digest: str, folder: Path, keys: Iterable[TrustedKey]) -> tuple[str, str] | None:
    """As Trust.problem, for these keys."""
    try:
        given = read_signatures(folder)
    except ConfigError as error:
        return f"its signatures cannot be read ({error.message})", f"{_SIGN}, or bring it from its source again"
    if not given:
        return f"is a {kind} that nobody signed, and this station takes signed ones only", _SIGN
    known = {key.key_id: key for key in keys}
    trusted = [(known[one.key], one) for one in given if one.key in known]
    if not trusted:
        return f"is signed with key {given[0].key} of {_shown(given[0].by)}, which is not in trusted_keys", "ask who it is"
    if any(key.verifies(_bytes_of(one), one.message(kind, digest)) and kind in key.uses for key, one in trusted):
        return None
    key, one = trusted[0]
    if kind not in key.uses:
        return f"is signed with key {one.key} ({key.name}), which is not trusted for a {kind}", "let the right person sign it"
    remedy = "bring it from its source again; do not sign it unless you know what changed"
    return f"is signed by {key.name} ({one.key}), but this is not what was signed: it was changed since", remedy


def sign(kind: SignedKind, digest: str, folder: Path, key: SigningKey, by: str) -> Signature:
    """Add a signature to the folder's file, in place of an older one of the same key. ConfigError: it cannot be written."""
    at = datetime.now(timezone.utc).replace(microsecond=0)
    made = base64.b64encode(key.sign(_statement(kind, digest, by, at))).decode()
    fields = {"key": key.key_id, "by": by, "at": at, "signature": made}
    one = validate(Signature, fields, "signature")
    try:
        others = [other for other in read_signatures(folder) if other.key != one.key]
    except ConfigError:
        others = []  # what cannot be read says nothing
    write_signatures(folder, (*others, one))
    return one


def read_signatures(folder: Path) -> tuple[Signature, ...]:
    """What is beside the content; empty where nothing is. ConfigError: damaged."""
    path = folder / SIGNATURES
    if not os.path.lexists(path):
        return ()
    if path.is_symlink() or not path.is_file():
        raise ConfigError("is no plain file", where=str(path), remedy=_SIGN)
    return load_json(SignatureFile, path).signatures


def write_signatures(folder: Path, signatures: Iterable[Signature]) -> None:
    """Replace the file whole. ConfigError: the disk refuses, or too many."""
    where = str(folder / SIGNATURES)
    document = validate(SignatureFile, {"schema": SCHEMA, "signatures": tuple(signatures)}, where)
    text = json.dumps(document.model_dump(mode="json", by_alias=True), indent=1) + "\n"
    try:
        # Beside the folder, which may hold nothing but its own files at any moment; saving sweeps such a name up.
        replace_file(folder / SIGNATURES, text.encode("ascii"), beside=folder.parent)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=where, remedy="check space and rights") from None


def carry(source: Path, target: Path) -> None:
    """Bring signatures along to another copy of the same content; those of keys that signed the copy stay. ConfigError."""
    held = read_signatures(target)
    more = [one for one in read_signatures(source) if one.key not in {other.key for other in held}]
    if more:
        write_signatures(target, (*held, *more)[-20:])


def _statement(kind: SignedKind, digest: str, by: str, at: datetime) -> bytes:
    said = {"statement": STATEMENT, "kind": kind, "sha256": digest, "by": by, "at": at.astimezone(timezone.utc).isoformat()}
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _bytes_of(one: Signature) -> bytes:
    try:
        return base64.b64decode(one.signature, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:80])
