import argparse
import json
from datetime import datetime, timezone

import numpy as np
import pytest

from calibration.commands import drift as command
from calibration.drift import Lineage, Span, from_archive, from_folder, from_results
from calibration.drift.lineage import PARTS
from edge.archive import ArchiveError, ArchiveReader
from edge.errors import Cancelled, ConfigError
from tests.calibration.evidence import MASK_OVER_LEFTOVER, START, Line, bad, engine_of, good, lost, new_version, recipe_at
from tests.calibration.scene import write
from tests.station_parts import make_recipe


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    root = tmp_path_factory.mktemp("line")
    made = Line(root / "archive", recipe_at(root))
    made.run([*good(5), *bad(2), lost(), np.ascontiguousarray(good(1)[0][::-1])])
    made.run(good(4, seed=50), clearance_id="c1")
    return made


def test_an_archive_gives_scores_shifts_light_and_what_is_missing(line):
    found = from_archive(line.reader, line.recipe, Span())
    assert not found.complete
    assert len(found.items) == 13
    first = found.items[0]
    assert first.score == pytest.approx(0.85, abs=0.1)
    assert first.outcome == "PASS"
    assert first.registered is True
    assert max(map(abs, first.shift_xy)) < 1
    assert first.gate_px == pytest.approx(0.06 * 240)
    assert first.brightness == pytest.approx(1, abs=0.02)
    assert first.sharpness == pytest.approx(1, abs=0.3)
    lost_one, upside_down = found.items[7], found.items[8]
    assert (lost_one.score, lost_one.registered, lost_one.brightness) == (None, None, None)
    assert (upside_down.score, upside_down.registered) == (None, False)


def test_clearances_alone_are_complete_where_there_are_enough(line):
    found = from_archive(line.reader, line.recipe, Span(), min_complete=4)
    assert found.complete
    assert len(found.items) == 4
    assert found.left_out == {"not of a clearance": 9}


def test_results_of_before_a_change_are_left_out_with_the_change(tmp_path):
    made = Line(tmp_path / "archive", recipe_at(tmp_path))
    made.run(good(3))
    changed = new_version(made.recipe, masks=(MASK_OVER_LEFTOVER,))
    assert from_archive(made.reader, changed, Span()).left_out == {"was judged before a change of masks": 3}
    other = make_recipe(tmp_path / "x", view="front")
    renamed = Lineage(other)
    assert renamed.changed("elsewhere", 1) is None
    assert renamed.changed(other.name, 77) is None
    assert renamed.changed(other.name, other.version) == frozenset()
    assert set(PARTS) >= {"bundle", "reference", "masks", "registration", "score_rule"}


def test_since_and_cancel(line):
    since = datetime(2026, 11, 20, 15, tzinfo=timezone.utc)
    assert len(from_archive(line.reader, line.recipe, Span(since)).items) == 5

    def stop(*_):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        from_archive(line.reader, line.recipe, Span(), progress=stop)
    with pytest.raises(ArchiveError):
        from_archive(ArchiveReader(line.folder.parent), line.recipe, Span())


@pytest.fixture
def messages(line, tmp_path):
    """What a listener wrote down, with other topics in between and one result delivered twice."""
    path = tmp_path / "messages.jsonl"
    entries = line.reader.find(newest_first=False)
    documents = [line.reader.document(entry) for entry in entries]
    other = {**documents[0], "view": "back"}
    rows = [{"schema": "lineclear/state/1"}, *documents, documents[0], other, {"schema": "lineclear/result/1", "view": "front"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_published_results_are_read_once_each(line, messages):
    found = from_results(messages, line.recipe, Span())
    assert found.complete
    assert len(found.items) == 13
    assert found.left_out == {"is no result": 1}
    archived = from_archive(line.reader, line.recipe, Span())
    assert [item.score for item in found.items] == [item.score for item in archived.items]


def test_a_file_without_results_is_refused(line, tmp_path):
    path = tmp_path / "x.jsonl"
    with pytest.raises(ConfigError, match="cannot be read"):
        from_results(path, line.recipe, Span())
    path.write_text('{"schema": "lineclear/state/1"}\n')
    with pytest.raises(ConfigError, match="no result of view 'front'"):
        from_results(path, line.recipe, Span())
    path.write_text("{}\nnot json\n")
    with pytest.raises(ConfigError, match="line 2 is no JSON"):
        from_results(path, line.recipe, Span())


@pytest.fixture
def folder(tmp_path):
    images = [*good(4), *bad(1), np.ascontiguousarray(good(1)[0][::-1])]
    for number, image in enumerate(images):
        write(tmp_path / "frames" / f"26112{number}0500_front.png", image)
    write(tmp_path / "frames" / "2611290000_small.png", images[0][:100])
    return tmp_path / "frames"


def test_a_folder_is_measured_through_the_engine(line, folder):
    with engine_of(line.recipe.bundle) as engine:
        found = from_folder(line.recipe, engine, folder, Span(), "%y%m%d%H%M")
    assert found.unit == "day"
    assert [item.at.day for item in found.items] == [20, 21, 22, 23, 24, 25]
    assert [item.registered for item in found.items] == [True] * 5 + [False]
    assert found.items[4].score > 100
    assert found.left_out == {"cannot be judged": 1}


def test_a_folder_without_times_is_grouped(line, folder):
    with engine_of(line.recipe.bundle) as engine:
        found = from_folder(line.recipe, engine, folder, Span(per_group=4))
        assert [len(group.readings) for group in found.groups()] == [4, 2]
        with pytest.raises(ConfigError, match="does not begin with"):
            from_folder(line.recipe, engine, folder, Span(), "%H:%M")


def run(line, *given):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(one) for one in ("--recipe", line.recipe.path, *given)]))


def test_the_command_has_an_exit_status_for_cron(line, messages, tmp_path, capsys):
    """The card of these recipes has five scores around 0.5, the good frames 0.8: thirteen results differ."""
    status = run(line, "--results", messages, "--json")
    document = json.loads(capsys.readouterr().out)
    assert status == {"ok": 0, "act": 1, "unknown": 2}[document["status"]]
    assert document["figures"]["drift.front.act"] == float(document["status"] == "act")
    assert document["days"]
    few = tmp_path / "few.jsonl"
    few.write_text("".join(messages.read_text().splitlines(keepends=True)[:4]))
    assert run(line, "--results", few) == 2
    assert "cannot say: scores: only 3 judged frames" in capsys.readouterr().out


def test_the_command_reads_the_archive_and_says_the_advice(line, capsys):
    status = run(line, "--archive", line.folder)
    said = capsys.readouterr().out
    assert "day 2026-11-20: 13 frames" in said
    assert status in (0, 1)
    assert ("nothing to do" in said) == (status == 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "give one of"),
        (("--archive", "a", "--results", "b"), "give one of"),
        (("--archive", "a", "--days", "0"), "days"),
        (("--archive", "a", "--group", "0"), "group"),
        (("--config", "nowhere.yaml"), "file not found"),
        (("--images", "nowhere"), "cannot be listed"),
    ],
)
def test_bad_use_is_said(line, given, message):
    with pytest.raises(ConfigError, match=message):
        run(line, *given)


def test_the_first_result_is_an_hour_after_the_start(line):
    assert line.reader.find(newest_first=False)[0].decided_at > START
