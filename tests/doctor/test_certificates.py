"""Reading when a certificate ends from its bytes, against openssl's own words."""

import ssl
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.doctor.certificates import pem_validities, validity
from tests.mosquitto import make_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return make_pki(tmp_path_factory.mktemp("pki"))


def said_by_openssl(file: Path, which: str) -> datetime:
    done = subprocess.run(
        ["openssl", "x509", "-in", str(file), "-noout", f"-{which}"], check=True, capture_output=True, text=True
    )
    text = done.stdout.strip().split("=", 1)[1]
    return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=timezone.utc)


def test_as_openssl_reads_it(pki) -> None:
    for file in (pki.ca, pki.server_cert, pki.client_cert):
        (found,) = pem_validities(file.read_text())
        assert (found.first, found.last) == (said_by_openssl(file, "startdate"), said_by_openssl(file, "enddate"))
        assert found.days_left(found.last) == 0
        assert found.days_left(found.first) == 2


def test_every_certificate_of_a_chain(pki) -> None:
    assert len(pem_validities(pki.server_cert.read_text() + "text between\n" + pki.ca.read_text())) == 2
    assert pem_validities("no certificate here") == ()


def test_years_beyond_2049_are_written_in_another_way(tmp_path: Path, pki) -> None:
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    first, last = (datetime(year, 6, 7, 8, 9, 10, tzinfo=timezone.utc) for year in (1999, 2060))
    made = builder.not_valid_before(first).not_valid_after(last).sign(key, hashes.SHA256())
    found = validity(made.public_bytes(serialization.Encoding.DER))
    assert (found.first, found.last) == (first, last)


@given(st.binary(max_size=200))
def test_garbage_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any
        validity(data)


def test_a_damaged_certificate_never_raises_anything_else(pki) -> None:
    der = ssl.PEM_cert_to_DER_cert(pki.server_cert.read_text())
    for at in range(120):
        for value in (0, 0x7F, 0x80, 0xFF):
            broken = der[:at] + bytes([value]) + der[at + 1 :]
            try:
                validity(broken)
            except ValueError:
                continue
    for end in range(len(der) - 1):
        with pytest.raises(ValueError):  # noqa: PT011 - any
            validity(der[:end])
