"""Who may what."""

from typing import Any

import pytest

from edge.commands.orders import COMMANDS
from edge.errors import ConfigError
from edge.schema import validate
from edge.settings.commands import OPERATOR, ROLES, CommandSettings


def settings(**fields: Any) -> CommandSettings:
    return validate(CommandSettings, fields, "commands")


def test_without_rights_everybody_is_an_operator_and_with_them_nobody_is_by_default() -> None:
    assert settings().rights_of("anybody") == frozenset(OPERATOR)
    assert settings(rights={}).rights_of("anybody") == frozenset()
    assert not {"threshold", "mask", "reload", "release", "card"} & set(OPERATOR)


def test_roles_and_rights_are_mixed() -> None:
    made = settings(roles={"shift": ["clearance", "release"]}, rights={"plc": ["shift", "reader", "mask"]})
    assert made.rights_of("plc") == {"clearance", "release", "mask", "state", "snapshot", "archive"}


def test_every_command_is_somebodys_right_and_no_role_has_all() -> None:
    everything = {*COMMANDS, "release", "card"}
    assert set().union(*ROLES.values()) == everything
    assert all(set(rights) < everything for rights in ROLES.values())


def test_persons_have_what_is_written() -> None:
    made = settings(people={"Kim": ["release"]})
    assert made.person_may("Kim", "release")
    assert not made.person_may("kim", "release")
    assert not made.person_may("Kim", "threshold")
    assert not settings().person_may("Kim", "release")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"signatures": "acting"}, "needs keys_file"),
        ({"rights": {"plc": ["boss"]}}, "boss is neither role nor right"),
        ({"rights": {"a/b": ["reader"]}}, "topic level"),
        ({"roles": {"reader": ["state"]}}, "reader is a word of its own"),
        ({"roles": {"mask": ["state"]}}, "mask is a word of its own"),
        ({"roles": {"x": ["everything"]}}, "roles.x"),
        ({"people": {"Kim": ["threshold"]}}, "release"),
        ({"right": {}}, "did you mean 'rights'"),
        ({"per_s": 0}, "per_s"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings(**fields)
    assert named in "\n".join(error.value.problems)
