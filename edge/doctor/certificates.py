"""When a certificate ends, read from its bytes: the standard library tells it only of a peer's."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

_SEQUENCE, _VERSION, _UTC_TIME, _TIME = 0x30, 0xA0, 0x17, 0x18
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Validity:
    """From when until when, UTC."""

    first: datetime
    last: datetime

    def days_left(self, now: datetime) -> float:
        """Negative once it has ended."""
        return (self.last - now).total_seconds() / 86_400


def validity(der: bytes) -> Validity:
    """Of an X.509 certificate (RFC 5280, 4.1): TBSCertificate's validity. ValueError: it is none."""
    whole, _ = _element(der, _SEQUENCE)
    body, _ = _element(whole, _SEQUENCE)
    if body[:1] == bytes([_VERSION]):
        _, body = _element(body, _VERSION)
    for _ in range(3):  # serial number, signature, issuer
        _, body = _element(body, None)
    dates, _ = _element(body, _SEQUENCE)
    first, dates = _moment(dates)
    last, _ = _moment(dates)
    return Validity(first, last)


def pem_validities(text: str) -> tuple[Validity, ...]:
    """Of every certificate in a PEM file. ValueError: one is damaged."""
    return tuple(validity(ssl.PEM_cert_to_DER_cert(block)) for block in _PEM.findall(text))


def _element(data: bytes, tag: int | None) -> tuple[bytes, bytes]:
    """Content of the first element, and what follows it."""
    if len(data) < 2 or (tag is not None and data[0] != tag):
        raise ValueError("no certificate")
    length, start = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 0 < count <= 4 or len(data) < 2 + count:
            raise ValueError("no certificate")
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if len(data) < start + length:
        raise ValueError("a certificate that is cut off")
    return data[start : start + length], data[start + length :]


def _moment(data: bytes) -> tuple[datetime, bytes]:
    short = data[:1] == bytes([_UTC_TIME])
    content, rest = _element(data, _UTC_TIME if short else _TIME)
    try:
        text = content.decode("ascii")
        if short:  # RFC 5280: years 50 to 99 are of the last century
            text = ("19" if text[:2] >= "50" else "20") + text
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc), rest
    except UnicodeDecodeError:
        raise ValueError("a date that is none") from None
