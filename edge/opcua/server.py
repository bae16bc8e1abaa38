"""The OPC UA server itself: an address space, a method, and limits for whoever comes. Runs in the child process."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from asyncua import Server, ua
from asyncua.common.connection import TransportLimits
from asyncua.common.methods import uamethod
from asyncua.server.user_managers import UserManager

from edge.errors import ConfigError
from edge.opcua.door import Rules, Users, caller, read_certificates, read_users
from edge.opcua.nodes import METHOD, METHOD_IN, METHOD_OUT, NAMESPACE, Kind, Quality, Variable, variables
from edge.schema import refuse_shared
from edge.settings.opcua import OpcUaConfig, OpcUaSecurity

log = logging.getLogger(__name__)

Started = tuple[bool, str, str]
Starts = Callable[[str, Sequence[str]], Awaitable[Started]]
"""(user, (batch, product, operator, request id)) -> (accepted, message, result id)."""
MAX_MESSAGE_BYTES = 1 << 20
MAX_TEXT_IN = 256
PRUNE_S = 1.0
_TYPES: dict[Kind, ua.VariantType] = {
    "text": ua.VariantType.String,
    "texts": ua.VariantType.String,
    "integer": ua.VariantType.Int64,
    "number": ua.VariantType.Double,
    "flag": ua.VariantType.Boolean,
    "time": ua.VariantType.DateTime,
}
_EMPTY: dict[Kind, Any] = {"text": "", "texts": [], "integer": 0, "number": 0.0, "flag": False, "time": None}
_STATUS: dict[Quality, int] = {
    "good": ua.StatusCodes.Good,
    "uncertain": ua.StatusCodes.Uncertain,
    "offline": ua.StatusCodes.BadOutOfService,
    "waiting": ua.StatusCodes.BadWaitingForInitialData,
}
_POLICIES = [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt, ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt]


class UaServer:
    """One station's server. Use it inside one running event loop; `serve` opens it, `close` ends it."""

    def __init__(self, config: OpcUaConfig, station: str, views: Sequence[str], starts: Starts) -> None:
        self._config = config
        self._station = station
        self._views = tuple(views)
        self._starts = starts
        self._variables = {variable.path: variable for variable in variables(views)}
        self._server: Server | None = None
        self._pruning: asyncio.Task[None] | None = None

    async def serve(self) -> str:
        """Bind and answer; the endpoint. ConfigError for files that cannot be used, OSError where the port cannot be had."""
        security = self._config.security
        server = Server(user_manager=_users(security))
        await server.init()
        await server.set_application_uri(f"urn:lineclear:{self._station}")
        server.set_server_name(f"lineclear {self._station}")
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        server.set_endpoint(f"opc.tcp://{host}:{self._port()}/lineclear")
        await _secure(server, security)
        _limit(server, self._config.max_clients)
        await self._build(server)
        await server.start()
        self._server = server
        self._pruning = asyncio.create_task(self._prune(server))
        return str(server.endpoint.geturl())

    async def close(self) -> None:
        """Say goodbye to every client."""
        if self._pruning is not None:
            self._pruning.cancel()
        if self._server is not None:
            await self._server.stop()

    async def put(self, values: Sequence[tuple[str, Any, Quality, str | None]]) -> None:
        """Write values, in this order: (path, value, quality, time as ISO text). What is not a known path is left out."""
        if self._server is None:
            return
        for path, value, quality, at in values:
            variable = self._variables.get(path)
            if variable is not None:
                await self._server.write_attribute_value(_node_id(path), _value(variable, value, quality, at))

    def _port(self) -> int:
        """The library cannot say which port it was given for 0."""
        if self._config.port:
            return self._config.port
        with socket.socket() as free:
            free.bind((self._config.host, 0))
            return int(free.getsockname()[1])

    async def _build(self, server: Server) -> None:
        index = await server.register_namespace(NAMESPACE)
        if index != 2:
            raise RuntimeError(f"the namespace has index {index}: NodeIds would not be as they are documented")
        folders: dict[tuple[str, ...], Any] = {
            (): await server.nodes.objects.add_object(_node_id("Lineclear"), f"{index}:Lineclear")
        }
        for variable in self._variables.values():
            for depth in range(1, len(variable.folder) + 1):
                part = variable.folder[:depth]
                if part not in folders:
                    name = ua.QualifiedName(part[-1], index)
                    folders[part] = await folders[part[:-1]].add_object(_node_id(".".join(part)), name)
            parent, name = folders[variable.folder], ua.QualifiedName(variable.name, index)
            kind = _TYPES[variable.kind]
            node = await parent.add_variable(_node_id(variable.path), name, _EMPTY[variable.kind], kind)
            await node.write_attribute(ua.AttributeIds.Value, _value(variable, None, "waiting", None))
        method = ua.QualifiedName(METHOD, index)
        inputs = [_argument(name, ua.ObjectIds.String) for name in METHOD_IN]
        kinds = (ua.ObjectIds.Boolean, ua.ObjectIds.String, ua.ObjectIds.String)
        outputs = [_argument(name, kind) for name, kind in zip(METHOD_OUT, kinds, strict=True)]
        await folders[("Clearance",)].add_method(_node_id(f"Clearance.{METHOD}"), method, self._method(), inputs, outputs)

    def _method(self) -> Callable[..., Any]:
        may_start = self._config.security.may_start if self._config.security is not None else None

        async def start(_parent: Any, *words: Any) -> Any:
            user = caller.get()
            if may_start is not None and user not in may_start:
                return ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)
            if len(words) != len(METHOD_IN):
                return ua.StatusCode(ua.StatusCodes.BadArgumentsMissing)
            texts = ["" if word is None else word for word in words]
            if not all(isinstance(text, str) and len(text) <= MAX_TEXT_IN for text in texts):
                return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
            return await self._starts(user, texts)

        return uamethod(start)  # type: ignore[no-any-return]

    async def _prune(self, server: Server) -> None:
        """The library keeps whatever a client sends until its message is whole, however long it says that it will be."""
        while True:
            await asyncio.sleep(PRUNE_S)
            for client in list(server.bserver.clients):
                if len(client._buffer) > 2 * MAX_MESSAGE_BYTES and client.transport is not None:
                    log.warning("opcua_client_cut peer=%s", client.peer_name)
                    client.transport.abort()


def _users(security: OpcUaSecurity | None) -> UserManager:
    if security is None:
        return Users(None)
    trusted = read_certificates(security.trusted_clients) if security.trusted_clients is not None else None
    return Users(read_users(security.credentials_file), trusted)


async def _secure(server: Server, security: OpcUaSecurity | None) -> None:
    rules = Rules()
    if security is None:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity], permission_ruleset=rules)
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        return
    server.set_security_policy(_POLICIES, permission_ruleset=rules)
    server.set_identity_tokens([ua.UserNameIdentityToken])
    refuse_shared(security.key_file, "key_file")
    for path, load in ((security.cert_file, server.load_certificate), (security.key_file, server.load_private_key)):
        try:
            content = path.read_bytes()
            await load(content, format="pem" if b"-----BEGIN" in content else "der")
        except OSError as error:
            raise ConfigError(f"cannot be read ({error.strerror})", where=str(path), remedy="check the path") from None
        except (ValueError, TypeError) as error:
            raise ConfigError(f"cannot be used ({error})", where=str(path), remedy="PEM or DER, without a password") from None
    key, certificate = server.iserver.private_key, server.iserver.certificate
    if key.public_key().public_numbers() != certificate.public_key().public_numbers():
        raise ConfigError("does not belong to cert_file", where=str(security.key_file), remedy="files that belong together")


def _limit(server: Server, max_clients: int) -> None:
    server.limits = TransportLimits(
        max_recv_buffer=65_535, max_send_buffer=65_535, max_chunk_count=32, max_message_size=MAX_MESSAGE_BYTES
    )
    inner = server.iserver
    inner.max_connections = max_clients
    inner.max_pending_messages_per_connection = 100
    inner.max_pending_activation_seconds = 5.0
    inner.max_subscriptions = 10 * max_clients
    inner.max_monitored_item_queue_size = 1000
    inner.max_session_timeout_ms = 120_000


def _node_id(path: str) -> ua.NodeId:
    return ua.NodeId(path, 2)


def _argument(name: str, kind: int) -> ua.Argument:
    argument = ua.Argument()
    argument.Name = name
    argument.DataType = ua.NodeId(kind)
    argument.ValueRank = -1
    return argument


def _value(variable: Variable, value: Any, quality: Quality, at: str | None) -> ua.DataValue:
    """The time is that of the event where there is one, so that a client sees when it was decided."""
    source = datetime.fromisoformat(at) if at is not None else None
    if variable.kind == "time" and isinstance(value, str):
        value = datetime.fromisoformat(value)
    is_array = variable.kind == "texts"
    content = _EMPTY[variable.kind] if value is None else value
    variant = ua.Variant(content, _TYPES[variable.kind], is_array=is_array)
    return ua.DataValue(variant, ua.StatusCode(_STATUS[quality]), SourceTimestamp=source)
