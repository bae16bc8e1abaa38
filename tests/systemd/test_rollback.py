"""Back to the release before; and a run that is killed at any step leaves a box that runs, and is finished by the next."""

import signal

import pytest

from tests.systemd.boxes import NEVER, Box, make_box, make_recipe_folder, need

STATION = ("--station", "feeder", "--with-mosquitto")
OLD, NEW = ("--extras", "genicam", *STATION), ("--extras", "gpio", *STATION)
KILLS = 10


@pytest.fixture
def box(tmp_path):
    need("mosquitto_passwd", "flock")
    return make_box(tmp_path)


def config(box: Box) -> str:
    return (box.folder / "etc/lineclear/feeder.yaml").read_text()


def edit(box: Box, text: str) -> None:
    (box.folder / "etc/lineclear/feeder.yaml").write_text(config(box) + text)


def upgraded(box: Box) -> tuple[str, str]:
    """A box with an old release, a recipe and a config, upgraded; then both are changed. Its two releases."""
    assert box.install(*OLD).status == 0
    make_recipe_folder(box)
    edit(box, "# of the old\n")
    old = box.current().name
    assert box.install(*NEW).status == 0
    make_recipe_folder(box, current="0002")
    edit(box, "# of the new\n")
    return old, box.current().name


def test_programs_configs_and_recipes_go_back_and_forth(box):
    old, new = upgraded(box)
    recipe = box.folder / "var/lib/lineclear/feeder/recipes/feeder"
    password = (box.folder / "etc/lineclear/feeder.mqtt").read_text()
    said = box.rollback("--dry-run")
    assert box.current().name == new
    done = box.rollback()
    assert done.status == 0, done.err
    assert [line.removeprefix("would ") for line in said.out.splitlines()] == done.out.splitlines()
    assert box.current().name == old
    assert config(box).endswith("# of the old\n")
    assert (recipe / "current").read_text() == "0001\n"
    assert box.rollback().status == 0
    assert box.current().name == new
    assert config(box).endswith("# of the new\n")
    assert (recipe / "current").read_text() == "0002\n"
    assert (box.folder / "etc/lineclear/feeder.mqtt").read_text() == password


def test_programs_only(box):
    old, _ = upgraded(box)
    assert box.rollback("--programs-only").status == 0
    assert box.current().name == old
    assert config(box).endswith("# of the new\n")


def test_a_version_that_is_gone_is_left_and_said(box):
    upgraded(box)
    recipe = box.folder / "var/lib/lineclear/feeder/recipes/feeder"
    (recipe / "versions/0001/recipe.yaml").unlink()
    (recipe / "versions/0001").rmdir()
    done = box.rollback()
    assert done.status == 0
    assert "version 0001 is not there any more" in done.out
    assert (recipe / "current").read_text() == "0002\n"


def test_files_called_current_that_are_no_recipes_are_left_alone(box):
    box.install(*OLD)
    other = box.folder / "var/lib/lineclear/feeder/current"
    other.write_text("1\n")
    box.install(*NEW)
    other.write_text("2\n")
    box.rollback()
    assert other.read_text() == "2\n"


def test_there_must_be_something_to_go_back_to(box):
    refused = box.rollback()
    assert (refused.status, "nothing is installed" in refused.err) == (1, True)
    box.install(*OLD)
    refused = box.rollback()
    assert (refused.status, "there is no release before" in refused.err) == (1, True)
    old, new = upgraded(box)
    (box.folder / "opt/lineclear/releases" / old / ".complete").unlink()
    refused = box.rollback()
    assert (refused.status, "is not whole any more" in refused.err) == (1, True)
    assert box.current().name == new
    listed = box.rollback("--list").out
    assert f"{new}  in force" in listed
    assert f"{old}  not whole" in listed


@pytest.mark.parametrize("arguments", [("--nonsense",), ("--snapshot",), ("; reboot",)])
def test_bad_use_is_one_line(box, arguments):
    done = box.rollback(*arguments)
    assert done.status == 1
    assert len(done.err.splitlines()) == 1


def comparable(box: Box) -> dict[str, tuple[str, str]]:
    """Without the logs of the Python that is a stand-in: they name folders of this test."""
    return {name: what for name, what in box.tree().items() if not name.endswith(("/made-with", "/pip"))}


def points(steps: int) -> list[int]:
    """Where to kill: from the first command to the last."""
    return [2 + (number * (steps - 2)) // (KILLS - 1) for number in range(KILLS)]


@pytest.mark.slow
def test_an_upgrade_that_is_killed_anywhere_leaves_the_old_one_and_is_finished_by_the_next(box):
    assert box.install(*OLD).status == 0
    old = box.current().name
    # A unit of the old version differs, so that the upgrade has files to write.
    unit = "etc/systemd/system/lineclear@.service"
    (box.folder / unit).write_text("old\n")
    whole = box.copy("whole")
    assert whole.install(*NEW, kill_at=NEVER).status == 0
    new, wanted = whole.current().name, comparable(whole)
    seen = set()
    for point in points(whole.commands()):
        killed = box.copy(f"killed-{point}")
        assert killed.install(*NEW, kill_at=point).status == -signal.SIGKILL
        seen.add(killed.current().name)
        assert (killed.folder / unit).read_text() in ("old\n", wanted[unit][1])
        done = killed.install(*NEW)
        assert done.status == 0, done.err
        assert comparable(killed) == wanted
    assert seen == {old, new}
    assert killed.install(*NEW).changes == []
    assert killed.rollback().status == 0
    assert killed.current().name == old


@pytest.mark.slow
def test_a_rollback_that_is_killed_anywhere_is_finished_by_the_next(box):
    old, new = upgraded(box)
    whole = box.copy("whole")
    assert whole.rollback(kill_at=NEVER).status == 0
    wanted = comparable(whole)
    unfinished = 0
    for point in points(whole.commands()):
        killed = box.copy(f"killed-{point}")
        assert killed.rollback(kill_at=point).status == -signal.SIGKILL
        assert killed.current().name in (old, new)
        if (killed.folder / "opt/lineclear/rollback").exists():
            unfinished += 1
            refused = killed.install(*NEW)
            assert (refused.status, "finish it first" in refused.err) == (1, True)
        elif killed.current().name == old:
            continue  # killed after its last change: a second call would undo it
        assert killed.rollback().status == 0
        assert comparable(killed) == wanted
    assert unfinished >= 3
