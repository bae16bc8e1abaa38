"""A GenApi node map in memory, for features that the simulator lacks. Its node classes are named as genicam names its own."""

from types import SimpleNamespace
from typing import Any

NI, NA, WO, RO, RW = range(5)


class NodeError(Exception):
    pass


class AccessException(NodeError):
    pass


class TimeoutException(NodeError):
    pass


ERRORS = (NodeError,)


class _Node:
    def __init__(self, value: Any = None, access: int = RW, takes: Any = None, fails: Exception | None = None) -> None:
        self._value, self.access, self._takes, self.fails = value, access, takes, fails
        self.writes: list[Any] = []
        self.node = SimpleNamespace(name="")

    def get_access_mode(self) -> int:
        return self.access

    @property
    def value(self) -> Any:
        if self.fails:
            raise self.fails
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        if self.fails:
            raise self.fails
        self.writes.append(value)
        self._value = self._takes(value) if self._takes else value


class IInteger(_Node):
    def __init__(self, value: int = 0, low: int = 0, high: int = 10_000, step: int = 1, **more: Any) -> None:
        super().__init__(value, **more)
        self.min, self.max, self.inc = low, high, step


class IFloat(_Node):
    def __init__(self, value: float = 0.0, low: float = 0.0, high: float = 1e6, step: float | None = None, **more: Any) -> None:
        super().__init__(value, **more)
        self.min, self.max, self._step = low, high, step

    def has_inc(self) -> bool:
        return self._step is not None

    @property
    def inc(self) -> float:
        assert self._step is not None
        return self._step


class IBoolean(_Node):
    pass


class IString(_Node):
    pass


class IRegister(_Node):
    pass


class ICommand(_Node):
    def execute(self) -> None:
        if self.fails:
            raise self.fails
        self.writes.append(True)


class IEnumeration(_Node):
    def __init__(self, value: str, *words: str, gone: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(value, **more)
        self.entries = [
            SimpleNamespace(symbolic=word, get_access_mode=lambda word=word: NA if word in gone else RO) for word in words
        ]


_Enumeration = IEnumeration


class FakeNodeMap:
    """`log` is the order of everything that was written or executed."""

    def __init__(self, **nodes: _Node) -> None:
        self.log: list[tuple[str, Any]] = []
        self._nodes = nodes
        for name, node in nodes.items():
            node.node.name = name
            node.writes = _Recorder(self.log, name)

    @property
    def nodes(self) -> list[_Node]:
        return list(self._nodes.values())

    def has_node(self, name: str) -> bool:
        return name in self._nodes

    def __getattr__(self, name: str) -> _Node:
        try:
            return self._nodes[name]
        except KeyError:
            raise AttributeError(name) from None


class _Recorder(list[Any]):
    def __init__(self, log: list[tuple[str, Any]], name: str) -> None:
        super().__init__()
        self._log, self._name = log, name

    def append(self, value: Any) -> None:
        super().append(value)
        self._log.append((self._name, value))


def mode_of(selector: IEnumeration, **modes: str) -> IEnumeration:
    """An Off/On enumeration with a value for each entry of its selector; `modes` of the node tells them."""

    class IEnumeration(_Enumeration):
        def __init__(self) -> None:
            super().__init__("", "Off", "On")
            self.modes = modes

        @property
        def value(self) -> str:
            return modes[selector.value]

        @value.setter
        def value(self, value: str) -> None:
            self.writes.append(value)
            modes[selector.value] = value

    return IEnumeration()
