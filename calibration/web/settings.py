"""STATION.page.yaml -> one closed, frozen PageSettings. Without the file: this machine alone, and sensible limits."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from edge.errors import ConfigError
from edge.schema import Closed, read_yaml, validate
from edge.settings.mqtt import TopicLevel

Language = Literal["en", "de", "it"]
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
PATH_KEYS: Final = ("cert_file", "key_file", "credentials_file", "signing_key_file")


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("is no IP address: write one like 192.168.1.20, 0.0.0.0 or ::") from None


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("is no IP address or network: write one like 192.168.1.2 or 192.168.1.0/29") from None
    if network.prefixlen == 0:
        raise ValueError("trusts every address: name the proxy's")
    return text


def _host(text: str) -> str:
    name = text.strip().lower().removeprefix("[").removesuffix("]")
    if not name or any(character in name for character in "/*@ \t") or (":" in name and not _is_ip(name)):
        raise ValueError("is no host name: write it without port, slash or star, as it stands in the browser's address")
    return name


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        raise ValueError("is no time zone that this machine knows: write one like Europe/Rome") from None
    return text


Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
Host = Annotated[str, Field(max_length=253), AfterValidator(_host)]
Zone = Annotated[str, AfterValidator(_zone)]


class PageTls(Closed):
    """The page's own certificate (PEM, with the chain) and its key, which only its owner may read.

    hsts_days: browsers that came once by https refuse anything else for so long; not with a certificate they do not trust.
    """

    cert_file: Path
    key_file: Path
    min_version: Literal["1.2", "1.3"] = "1.2"
    hsts_days: int = Field(0, ge=0, le=730)


class ProxySettings(Closed):
    """A proxy in front does TLS. trusted: its addresses or networks; forwarded headers of anybody else count for nothing."""

    trusted: tuple[Network, ...] = Field(min_length=1, max_length=16)


class SessionSettings(Closed):
    """How long somebody stays signed in.

    absolute_h: then the password is asked whatever happened. idle_min: without a touch for so long, the page is locked and
    asks the password again. viewers_lock: also for those who may only look; false suits a screen on the wall.
    per_user: more sessions of one user end the oldest.
    """

    absolute_h: float = Field(12.0, gt=0, le=24 * 30)
    idle_min: float = Field(15.0, ge=1, le=24 * 60)
    viewers_lock: bool = True
    per_user: int = Field(10, ge=1, le=100)


class LockoutSettings(Closed):
    """After free_tries wrong passwords each further one waits twice as long, up to max_wait_s; forgotten after forget_h.

    address_tries: the same for one address, whoever's password was tried.
    """

    free_tries: int = Field(5, ge=1, le=100)
    address_tries: int = Field(20, ge=1, le=1000)
    first_wait_s: float = Field(5.0, gt=0, le=3600)
    max_wait_s: float = Field(900.0, gt=0, le=86_400)
    forget_h: float = Field(24.0, gt=0, le=24 * 30)


class PasswordSettings(Closed):
    """min_length: shorter passwords are refused. one_time_h: how long a password that an admin handed out is good."""

    min_length: int = Field(10, ge=8, le=64)
    one_time_h: float = Field(72.0, gt=0, le=24 * 30)


class LimitSettings(Closed):
    """What anybody may take of this machine.

    body_bytes: of one request; where files are uploaded, upload_bytes. body_s, upload_s: time to send it in. per_address,
    per_session: requests a minute; burst: how many of them at once. streams, streams_per_session: live connections.
    connections, connections_per_address: open ones at a time.
    """

    body_bytes: int = Field(1_000_000, ge=10_000, le=100_000_000)
    upload_bytes: int = Field(512_000_000, ge=100_000, le=10_000_000_000)
    body_s: float = Field(20.0, gt=0, le=600)
    upload_s: float = Field(600.0, gt=0, le=7200)
    header_s: float = Field(10.0, gt=0, le=120)
    per_address: int = Field(3000, ge=10, le=1_000_000)
    per_session: int = Field(1500, ge=10, le=1_000_000)
    burst: int = Field(300, ge=10, le=100_000)
    streams: int = Field(40, ge=1, le=1000)
    streams_per_session: int = Field(6, ge=1, le=100)
    connections: int = Field(200, ge=10, le=10_000)
    connections_per_address: int = Field(60, ge=4, le=10_000)


class FreshnessSettings(Closed):
    """How long an answer counts as current. After that the station page says that it is old, and shows no green.

    result_min: a view's last result. clearance_min: the last clearance.
    """

    result_min: float = Field(10.0, gt=0, le=24 * 60)
    clearance_min: float = Field(60.0, gt=0, le=24 * 60)


class PageSettings(Closed):
    """Everything of the page that a person may set.

    host, port: where it listens (port None: 8443 with tls, else 8480). hosts: names and addresses by which browsers may
    call it, beside this machine's own loopback. language: of who did not choose one. time_zone None: the machine's.
    client: the page's name towards the station. credentials_file: for the broker, None: the station's.
    signing_key_file: 64 hexadecimal digits or more, where the station wants signed commands.
    """

    host: Address = "127.0.0.1"
    port: int | None = Field(None, ge=1, le=65_535)
    hosts: tuple[Host, ...] = Field((), max_length=32)
    tls: PageTls | None = None
    behind_proxy: ProxySettings | None = None
    language: Language = "en"
    time_zone: Zone | None = None
    client: TopicLevel = "page"
    credentials_file: Path | None = None
    signing_key_file: Path | None = None
    sessions: SessionSettings = SessionSettings()
    lockout: LockoutSettings = LockoutSettings()
    passwords: PasswordSettings = PasswordSettings()
    limits: LimitSettings = LimitSettings()
    freshness: FreshnessSettings = FreshnessSettings()

    @model_validator(mode="after")
    def _network_needs_tls(self) -> Self:
        if not self.is_loopback and self.tls is None and self.behind_proxy is None:
            raise ValueError(
                f"host {self.host} is reached from the network, and passwords would cross it in the clear: add tls with "
                "cert_file and key_file, or behind_proxy with the proxy's address, or leave host out"
            )
        if self.tls is not None and self.behind_proxy is not None:
            raise ValueError("tls and behind_proxy exclude each other: the one that the browser talks to has the certificate")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if (ipaddress.ip_address(self.host).is_unspecified or self.behind_proxy is not None) and not self.hosts:
            raise ValueError("hosts is missing: name how browsers call this page, as `hosts: [box7.plant.example, 10.0.4.7]`")
        return self

    @property
    def is_loopback(self) -> bool:
        """True if nobody but this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def effective_port(self) -> int:
        """The port, or the usual one."""
        return self.port or (8443 if self.tls else 8480)

    @property
    def is_secure(self) -> bool:
        """True if browsers come by https."""
        return self.tls is not None or self.behind_proxy is not None

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """What a Host header may name, in lower case and without a port."""
        own = () if ipaddress.ip_address(self.host).is_unspecified else (self.host,)
        return frozenset((*LOOPBACK_NAMES, *own, *self.hosts))


def page_path_of(config_path: Path) -> Path:
    """Where the page's settings are looked for: `line3.yaml` -> `line3.page.yaml`."""
    return config_path.with_suffix(".page.yaml")


def read_page_settings(config_path: Path, page_path: Path | None = None) -> PageSettings:
    """The settings beside a station's config; page_path: instead of those. ConfigError lists every problem.

    A file that was named must be there; the one beside the config need not.
    """
    path = page_path or page_path_of(config_path)
    if page_path is None and not path.exists():
        return PageSettings()
    data = read_yaml(path)
    if data is None:
        return PageSettings()
    if not isinstance(data, dict):
        raise ConfigError("is not a mapping", where=str(path), remedy="write `key: value` lines; see docs/page.md")
    return validate(PageSettings, _absolute(data, path.resolve().parent), str(path))


def _absolute(data: dict[Any, Any], base: Path) -> dict[Any, Any]:
    """The same with paths relative to the file that names them."""
    absolute: dict[Any, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            absolute[key] = _absolute(value, base)
        elif key in PATH_KEYS and isinstance(value, str) and value:
            absolute[key] = str((base / Path(value).expanduser()).absolute())
        else:
            absolute[key] = value
    return absolute
