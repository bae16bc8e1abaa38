"""Files that people write, read safely: every problem at once, one line each, and no input that hangs or runs code."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from edge.errors import ConfigError
from edge.schema import Closed, load_json, load_yaml, read_json, read_yaml


class Inner(Closed):
    gain_db: float
    name: str = "x"


class Outer(Closed):
    inner: Inner
    many: dict[str, Inner] = Field({})
    count: int = 1


def write(folder: Path, text: str | bytes, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_problem_is_reported_at_once_with_file_key_and_remedy(tmp_path: Path) -> None:
    path = write(tmp_path, "inner: {gian_db: 1, name: 3}\nmany: {a: {gain_db: loud}}\ncount: []\n")
    with pytest.raises(ConfigError) as caught:
        load_yaml(Outer, path)
    problems = caught.value.problems
    assert len(problems) == 5
    assert all(problem.startswith(f"{path}: ") and "\n" not in problem for problem in problems)
    assert f"{path}: inner.gian_db: unknown key: did you mean 'gain_db'?" in problems
    assert f"{path}: inner.gain_db: missing: add this key" in problems
    assert any(problem.startswith(f"{path}: many.a.gain_db: ") for problem in problems)
    assert "and 4 more" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x\n", "line 2: aliases"),
        ("a: 1\n\tb: 2\n", "line 2: a tab"),
        ("a: 1\na: 2\n", "line 2: key 'a' is written twice"),
        ("[" * 60 + "]" * 60, "nested deeper"),
        ("a: {b: 1", "line 1"),
        ("a: !!python/object/apply:os.system [id]\n", "line 1"),
        ("? [1, 2]\n: 3\n", "line 1"),
        ("a: 2026-99-99\n", "month"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"a: \x00", "unacceptable character"),
        ("a: !!timestamp abc\n", "file.yaml"),
        ('a: !!int ""\n', "file.yaml"),
        ("a: !!bool maybe\n", "file.yaml"),
        ('a: "\\UFFFFFFFF"\n', "file.yaml"),
        ("a: b\n" * 400_000, "too large"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=said) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_a_yaml_bomb_is_refused_before_it_grows(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(ConfigError, match="aliases"):
        read_yaml(write(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n", "3"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not a mapping"):
        load_yaml(Outer, write(tmp_path, text))


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not found"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        read_yaml(tmp_path)


@pytest.mark.parametrize("text", ['{"a": 1', "[" * 100_000, "nonsense", "", '{"a": ' + "9" * 5000 + "}"])
def test_broken_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read_json(write(tmp_path, text, "file.json"))


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    assert load_json(Outer, write(tmp_path, '{"inner": {"gain_db": 2}}', "f.json")) == Outer(inner=Inner(gain_db=2.0))


@given(st.binary(max_size=300))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_value_or_a_config_error(tmp_path: Path, data: bytes) -> None:
    try:
        read_yaml(write(tmp_path, data))
    except ConfigError as error:
        assert "\n" not in str(error)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(max_size=5), x)
    )
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_is_a_model_or_problems_of_one_line(tmp_path: Path, document: object) -> None:
    import yaml

    path = write(tmp_path, yaml.safe_dump(document))
    try:
        load_yaml(Outer, path)
    except ConfigError as error:
        assert error.problems
        assert all("\n" not in problem for problem in error.problems)


def test_on_and_off_are_words_and_only_true_and_false_are_truths(tmp_path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("trigger: off\non: [busy]\nyes: no\na: true\nb: False\nc: truest\n")
    assert read_yaml(path) == {"trigger": "off", "on": ["busy"], "yes": "no", "a": True, "b": False, "c": "truest"}
