"""Closed data models and the safe reading of the YAML and JSON that people and other programs write.

Everything that comes from a file passes here: size and depth are bounded, YAML aliases are refused (a "YAML bomb" is
made of them), tabs are named, unknown keys are errors, and every problem of a file is reported at once, one line each:
`file: key: what is wrong: what to write`.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from edge.errors import ConfigError

MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 24
MAX_SECRET_BYTES = 65_536


class Closed(BaseModel):
    """Frozen, and no unknown keys: a key that is misspelt is an error, never a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), ser_json_inf_nan="strings")


ModelT = TypeVar("ModelT", bound=Closed)


class _SafeLoader(yaml.SafeLoader):
    """SafeLoader that refuses aliases, deep nesting and repeated keys.

    Only true and false are truth values, as in YAML 1.2: `on` and `off` are words here (`trigger: off`, `on: [busy]`).
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nesting = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        mark = self.get_mark()
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not allowed here", mark)
        self._nesting += 1
        if self._nesting > MAX_DEPTH:
            raise yaml.constructor.ConstructorError(None, None, f"nested deeper than {MAX_DEPTH}", mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._nesting -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is written twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_SafeLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SafeLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def read_text(path: Path, max_bytes: int = MAX_FILE_BYTES) -> str:
    """The file as UTF-8 text; ConfigError if it is absent, no plain file, too large or not text."""
    try:
        with open(path, "rb", opener=_unblocked) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError("is no plain file", where=str(path), remedy="name the file")
            data = read_bounded(file, max_bytes)
        if data is None:
            raise ConfigError("is too large", where=str(path), remedy=f"at most {max_bytes} bytes")
        return data.decode("utf-8")
    except FileNotFoundError:
        raise ConfigError("file not found", where=str(path), remedy="check the path") from None
    except IsADirectoryError:
        raise ConfigError("is a folder, not a file", where=str(path), remedy="name the file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error})", where=str(path), remedy="must be a readable UTF-8 text file") from None


def read_bounded(file: BinaryIO, max_bytes: int) -> bytes | None:
    """All of an open file, None if that is more than max_bytes. Memory is taken for what is there, not for what might be."""
    status = os.fstat(file.fileno())
    size = status.st_size if stat.S_ISREG(status.st_mode) else max_bytes
    data = file.read(size + 1) if size <= max_bytes else None
    return data if data is not None and len(data) <= max_bytes else None


def read_secret(path: Path, key: str, max_bytes: int = MAX_SECRET_BYTES) -> str:
    """The text of a file that its owner alone may read: root or whoever runs this. key: of the config, for the message.

    ConfigError as `read_text`, or if the file is not private. It is opened once: what was checked is what is read. No
    message holds anything of what stands in it.
    """
    try:
        with open(path, "rb", opener=_unblocked) as file:
            _refuse_shared(os.fstat(file.fileno()), path, key)
            data = read_bounded(file, max_bytes)
    except FileNotFoundError:
        raise ConfigError("file not found", where=str(path), remedy="check the path") from None
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(path), remedy="check the path") from None
    if data is None:
        raise ConfigError("is too large", where=str(path), remedy=f"at most {max_bytes} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", where=str(path), remedy="write it again") from None


def refuse_shared(path: Path, key: str) -> None:
    """ConfigError if a file that a library reads by its name is absent, or is not its owner's alone."""
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(path), remedy="check the path") from None
    _refuse_shared(status, path, key)


def _refuse_shared(status: os.stat_result, path: Path, key: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{key} is no plain file", where=str(path), remedy="name the file")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = f"{key} can be read by others than its owner (mode {stat.S_IMODE(status.st_mode):04o})"
        raise ConfigError(message, where=str(path), remedy=f"chmod 600 {path}")
    if os.geteuid() != 0 and status.st_uid not in (0, os.geteuid()):
        message = f"{key} belongs to another user (uid {status.st_uid})"
        raise ConfigError(message, where=str(path), remedy=f"chown {os.geteuid()} {path}")


def _unblocked(name: str, flags: int) -> int:
    """A pipe that nobody writes must not hold anyone up."""
    return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def read_yaml(path: Path) -> Any:
    """Parsed YAML (aliases, depth and repeated keys refused); ConfigError names the line."""
    text = read_text(path)
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            raise ConfigError(f"line {number}: a tab in the indentation", where=str(path), remedy="indent with spaces")
    try:
        return yaml.load(text, Loader=_SafeLoader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        problem = error.problem or "not valid YAML"
        raise ConfigError(f"{line}{problem}", where=str(path), remedy="mend the YAML") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else "not valid YAML"
        raise ConfigError(first, where=str(path), remedy="mend the YAML") from None


def read_json(path: Path, max_bytes: int = MAX_FILE_BYTES) -> Any:
    """Parsed JSON; ConfigError names the line."""
    try:
        return json.loads(read_text(path, max_bytes))
    except json.JSONDecodeError as error:
        raise ConfigError(f"line {error.lineno}: {error.msg}", where=str(path), remedy="mend the JSON") from None
    except ValueError as error:
        raise ConfigError(f"not valid JSON ({error})", where=str(path), remedy="mend the JSON") from None
    except RecursionError:
        raise ConfigError("nested too deeply", where=str(path), remedy="mend the JSON") from None


def validate(kind: type[ModelT], data: Any, where: str) -> ModelT:
    """`data` as a `kind`; ConfigError lists every problem, one line each, `where: key: wrong: write`."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        problems = tuple(_line(kind, where, item) for item in error.errors(include_url=False))
        first = problems[0].removeprefix(f"{where}: ")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(first + more, where=where, problems=problems) from None


def load_yaml(kind: type[ModelT], path: Path) -> ModelT:
    """Read and validate one YAML file."""
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError("is empty or not a mapping", where=str(path), remedy="write `key: value` lines")
    return validate(kind, data, str(path))


def load_json(kind: type[ModelT], path: Path) -> ModelT:
    """Read and validate one JSON file."""
    return validate(kind, read_json(path), str(path))


def _line(kind: type[BaseModel], where: str, item: Any) -> str:
    key = ".".join(text if (text := str(part)).isprintable() else repr(text) for part in item["loc"]) or "(top level)"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        known = _fields_at(kind, item["loc"][:-1])
        near = difflib.get_close_matches(str(item["loc"][-1]), known, 1)
        hint = f"did you mean {near[0]!r}?" if near else ("known keys: " + ", ".join(sorted(known)) if known else "remove it")
        return f"{where}: {key}: unknown key: {hint}"
    if item["type"] == "missing":
        return f"{where}: {key}: missing: add this key"
    if isinstance(item["input"], (dict, list)) and item["type"] == "value_error":
        return f"{where}: {key}: {message}"
    try:
        shown = repr(item["input"])
    except ValueError:  # Python writes out no whole number of more than 4300 digits; YAML reads one from 0xfff...
        shown = "a number of thousands of digits"
    return f"{where}: {key}: {message} (got {shown if len(shown) <= 60 else shown[:57] + '...'})"


def _fields_at(kind: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """Field names of the model that `loc` leads to, as far as plain nesting, unions and mappings can be followed."""
    models: list[type[BaseModel]] = [kind]
    for part in loc:
        following: list[type[BaseModel]] = []
        for model in models:
            info = model.model_fields.get(str(part))
            following += _models_in(info.annotation) if info else []
        models = following or models
    return [name for model in models for name in model.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    # On Python 3.10 `tuple[X, ...]` is an instance of type and no class.
    if get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found += _models_in(argument)
    return found
