from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.bundle import Bundle, Limits
from edge.engines.base import Engine
from edge.engines.gpus import EngineUnavailable
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError, ConfigError, EngineFault
from edge.recipe import ParityComparison, load_recipe
from edge.settings.engines import EngineSettings, OnnxRuntimeSettings, TensorRtSettings
from export.__main__ import main
from export.parity import Side, Subject, compare
from export.parity_sides import Makers, against, plan_of
from tests.bundle.samples import mapless, random_inputs, write
from tests.cli.running import IMAGES, RECIPE, simulated, station
from tests.engines import graphs, programs
from tests.engines.gpu_parts import Rig, conv_bundle, whole_bundle
from tests.export.parity_recipes import BAD, GOOD, bright_bundle, bright_recipe

CPU32 = "onnxruntime float32"


def silent(done: int, total: int, what: str) -> None:
    """A progress that tells nobody."""


def compared(subject: Subject, makers: Makers | None = None) -> ParityComparison:
    ((base, other),) = plan_of(subject.bundle, "onnxruntime", None, makers or Makers(threads=1)).others
    return compare(subject, base, other, silent)


def lines(found: ParityComparison) -> dict[str, Any]:
    return {line.measure: line for line in found.lines}


def gpu_makers(rig: Rig) -> Makers:
    """A machine with a GPU that is none."""
    real = Makers(threads=1)

    def make(settings: EngineSettings, bundle: Bundle) -> Engine:
        if isinstance(settings, TensorRtSettings):
            changes = settings.model_dump(exclude={"kind", "cache_dir"})
            return rig.engine(bundle, **changes)
        return real.make(settings, bundle)

    return Makers(make, lambda settings: None, threads=1)


def no_gpu(settings: EngineSettings) -> None:
    raise EngineUnavailable("there is no GPU", where="gpu", remedy="buy one")


def test_the_example_recipe_is_equal_in_float16_on_its_own_frames() -> None:
    recipe = load_recipe(RECIPE)
    found = compared(Subject(recipe.bundle, recipe, IMAGES[0].parent))
    assert found.passed, found.why
    assert found.frames == {"golden": len(recipe.bundle.golden()[0]), "images": 3}
    assert found.card == recipe.card.sha256 if recipe.card else False
    assert str(found.candidate).endswith("cpu float16")
    assert 0 < lines(found)["map max"].value < 0.1


@pytest.mark.parametrize(
    ("half", "broken"),
    [
        (1.0, set()),
        (1.002, set()),
        (1.01, {"score over spread"}),
        (0.6, {"verdicts to PASS", "score over margin", "score over spread", "pixels", "map mean", "map p99.9", "map max"}),
        (1.5, {"other verdicts", "score over margin", "score over spread", "pixels", "map mean", "map p99.9", "map max"}),
    ],
)
def test_an_engine_that_lies_is_found_on_the_challenge_frames(tmp_path: Path, half: float, broken: set[str]) -> None:
    recipe = bright_recipe(tmp_path, half)
    found = compared(Subject(recipe.bundle, recipe))
    assert found.frames == {"golden": 2, "challenge": 2}
    assert {line.measure for line in found.broken} - {"half layers"} == broken
    assert lines(found)["golden"].passed, "the bundle's own limits were too wide to see it"


def test_it_is_measured_in_units_of_the_margin(tmp_path: Path) -> None:
    recipe = bright_recipe(tmp_path, 1.01)
    assert recipe.card is not None
    good, threshold = recipe.card.scores[0], recipe.card.image_threshold
    line = lines(compared(Subject(recipe.bundle, recipe)))["score over margin"]
    assert line.value == pytest.approx(0.01 * (2 * threshold - good) / (threshold - good), rel=0.1)


def test_an_engine_beyond_its_golden_vectors_is_not_run_any_further(tmp_path: Path) -> None:
    recipe = bright_recipe(tmp_path, 1.1, limits=Limits())
    found = compared(Subject(recipe.bundle, recipe))
    (line,) = found.lines
    assert line.measure == "golden"
    assert line.value > 1
    assert not found.passed
    assert "is off by" in found.problem


def test_an_engine_that_faults_on_a_frame_is_undecided_there(tmp_path: Path) -> None:
    recipe = bright_recipe(tmp_path)

    base, _ = plan_of(recipe.bundle, "onnxruntime", None, Makers(threads=1)).others[0]
    other = Side("faulty", "float16", recipe.bundle, lambda: FaultsOn(recipe.bundle))
    found = lines(compare(Subject(recipe.bundle, recipe), base, other, silent))
    assert found["other verdicts"].value == 2
    assert "FAIL -> UNDECIDED" in found["other verdicts"].detail


class FaultsOn(OnnxRuntimeEngine):
    """Golden vectors are computed, the line's frames are not."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, OnnxRuntimeSettings(threads=1, precision="float16"))
        self._vectors = [given["image"].tobytes() for given in bundle.golden()[0]]

    def infer(self, inputs: Any) -> Any:
        if inputs["image"].tobytes() not in self._vectors:
            raise EngineFault("out of memory")
        return super().infer(inputs)


def test_a_model_that_does_not_open_is_a_failed_comparison(tmp_path: Path) -> None:
    bundle = bright_bundle(tmp_path / "b")
    base, other = plan_of(bundle, "onnxruntime", None, Makers(threads=1)).others[0]

    class Closed(FaultsOn):
        def __enter__(self) -> Any:
            raise BundleError("cannot be loaded")

    found = compare(Subject(bundle), base, replace(other, make=lambda: Closed(bundle)), silent)
    assert (found.passed, found.problem) == (False, "cannot be loaded")


def test_a_gpu_engine_is_compared_like_any_other(tmp_path: Path) -> None:
    bundle, rig = conv_bundle(tmp_path / "b"), Rig(tmp_path / "cache")
    plan = plan_of(bundle, None, None, gpu_makers(rig))
    assert [other.name for _, other in plan.others] == ["onnxruntime float16", "tensorrt float16"]
    base, other = plan.others[1]
    found = compare(Subject(bundle), base, other, silent)
    assert found.passed, found.why
    assert str(found.candidate) == "tensorrt-10.3.0 Fake RTX float16"
    assert lines(found)["half layers"].detail.startswith("2 of 2 float16 layers kept")
    assert found.builds[0].startswith("tensorrt-")
    rig.gpu.assert_nothing_left()


def test_two_builds_of_one_bundle(tmp_path: Path) -> None:
    bundle, rigs = conv_bundle(tmp_path / "b"), [Rig(tmp_path / name) for name in ("one", "two")]
    for rig in rigs:
        with rig.engine(bundle):
            pass

    def make(settings: EngineSettings, opened: Bundle) -> Engine:
        if not isinstance(settings, TensorRtSettings):
            return Makers(threads=1).make(settings, opened)
        return rigs[settings.cache_dir == str(tmp_path / "two")].engine(opened, build=settings.build)

    first = TensorRtSettings(cache_dir=str(tmp_path / "one"))
    ((base, other),) = against(bundle, tmp_path / "two", None, first, Makers(make, lambda settings: None)).others
    found = compare(Subject(bundle), base, other, silent)
    assert found.passed, found.why
    assert found.baseline == found.candidate
    assert len(rigs[1].built) == 1, "the second cache's own plan was taken"


def test_two_bundles_of_one_contract(tmp_path: Path) -> None:
    one, two = bright_bundle(tmp_path / "one"), bright_bundle(tmp_path / "two", 1.3)
    pairs = against(one, two.path, None, None, Makers(threads=1)).others
    found = [compare(Subject(one, images=images(tmp_path)), base, other, silent) for base, other in pairs]
    assert [each.passed for each in found] == [True, True], "their own limits are that wide"
    assert lines(found[0])["score"].value == 0
    assert lines(found[1])["score"].value > 0.3
    other = whole_bundle(tmp_path / "other")
    with pytest.raises(ConfigError, match="takes or gives something else"):
        against(one, other.path, None, None, Makers())
    with pytest.raises(ConfigError, match="neither a bundle nor an engine cache"):
        against(one, tmp_path, None, None, Makers())


def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir(exist_ok=True)
    for name, image in (("good", GOOD), ("bad", BAD)):
        cv2.imwrite(str(folder / f"{name}.png"), image[..., ::-1])
    return folder


def test_a_family_without_a_map(tmp_path: Path) -> None:
    whole = write(
        tmp_path / "m",
        mapless(),
        model=graphs.model(*_score_graph()),
        model_fp16=graphs.model(*_score_graph()),
        golden_outputs=[_score(random_inputs(mapless(), seed)) for seed in (0, 1)],
    )
    found = compared(Subject(whole, images=images(tmp_path)))
    assert found.passed, found.why
    assert set(lines(found)) == {"golden", "score", "half layers"}
    assert found.frames == {"golden": 2, "images": 2}


@pytest.mark.parametrize("make", [programs.loop_bundle, programs.tiled_bundle])
def test_programs_and_tiles_go_through_the_same_engine(tmp_path: Path, make: Any) -> None:
    bundle = make(tmp_path / "b")
    base = plan_of(bundle, "none", None, Makers(threads=1)).base
    alone = compare(Subject(bundle), base, None, silent)
    assert alone.passed, alone.why
    found = compare(Subject(bundle, images=images(tmp_path)), base, base, silent)
    assert found.frames == {"golden": alone.frames["golden"], "images": 2}
    assert [line.value for line in found.lines[1:]] == [0.0] * 4


def _score_graph() -> Any:
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["image"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["single"], ["image_score"], axes=[1, 2, 3], keepdims=0),
    ]
    return nodes, [graphs.IMAGE], [graphs.SCORE]


def _score(given: Any) -> Any:
    return {"image_score": given["image"].max(axis=(1, 2, 3)).astype("float32")}


class TestCommand:
    @pytest.fixture
    def recipe(self, tmp_path: Path) -> Path:
        return bright_recipe(tmp_path / "made", 1.002).path

    def call(self, capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["parity", *map(str, words)])
        said = capsys.readouterr()
        return status, said.out, said.err

    def bundle(self, recipe: Path) -> Path:
        return load_recipe(recipe).bundle.path

    def test_equal_is_0_and_says_so(self, capsys: Any, recipe: Path) -> None:
        status, out, err = self.call(capsys, self.bundle(recipe), "--recipe", recipe, "--engine", "onnxruntime")
        assert (status, err) == (0, "")
        assert out.endswith("equal: every engine that was compared is within the limits\n")
        assert "(2 golden, 2 challenge)" in out

    def test_beyond_a_limit_is_1(self, capsys: Any, tmp_path: Path) -> None:
        recipe = bright_recipe(tmp_path, 0.6).path
        status, out, _ = self.call(capsys, self.bundle(recipe), "--recipe", recipe, "--engine", "onnxruntime")
        assert status == 1
        assert "FAIL  verdicts to PASS 1 (limit <= 0)" in out
        assert out.endswith("beyond a limit: do not judge with it\n")

    def test_without_a_gpu_it_is_2_and_says_what_is_missing(self, capsys: Any, recipe: Path, monkeypatch: Any) -> None:
        monkeypatch.setattr("edge.engines.gpu_engine.check_gpu", no_gpu)
        status, out, _ = self.call(capsys, self.bundle(recipe), "--recipe", recipe)
        assert status == 2
        assert "not run here: tensorrt: " in out
        assert out.endswith("equal as far as it could be run here\n")

    def test_a_recipe_without_frames_proves_no_verdict(self, capsys: Any) -> None:
        bundle = load_recipe(RECIPE).bundle.path
        status, out, _ = self.call(capsys, bundle, "--recipe", RECIPE, "--engine", "onnxruntime")
        assert status == 2
        assert "not run here: verdicts: the recipe has no challenge frames" in out

    def test_none_proves_the_float32_file_alone(self, capsys: Any, recipe: Path) -> None:
        status, out, _ = self.call(capsys, self.bundle(recipe), "--engine", "none", "--json")
        document = json.loads(out)
        assert status == 0
        assert [each["frames"] for each in document["comparisons"]] == [{"golden": 2}]

    def test_a_bundle_without_float16_has_nothing_to_compare(self, capsys: Any, tmp_path: Path) -> None:
        bright_bundle(tmp_path / "b", both=False)
        status, out, _ = self.call(capsys, tmp_path / "b", "--engine", "onnxruntime")
        assert (status, out.count("against")) == (0, 0)

    def test_frames_of_another_camera_are_refused(self, capsys: Any, recipe: Path) -> None:
        words = (self.bundle(recipe), "--recipe", recipe, "--images", IMAGES[0].parent, "--engine", "onnxruntime")
        status, out, _ = self.call(capsys, *words)
        assert status == 0
        assert "3 refused" in out
        plain = load_recipe(recipe)
        shutil.rmtree(plain.folder / "challenge")
        status, _, err = self.call(capsys, *words)
        assert status == 3
        assert "none of 3 frames can be compared, first 1.png: " in err

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (["--keep"], "--keep needs --recipe, --who and --why"),
            (["--recipe", RECIPE], "its bundle is variation-"),
            (["--images", "nowhere"], "nowhere"),
        ],
    )
    def test_bad_use_is_3(self, capsys: Any, recipe: Path, words: list[object], says: str) -> None:
        status, out, err = self.call(capsys, self.bundle(recipe), "--engine", "onnxruntime", *words)
        assert (status, out) == (3, "")
        assert says in err

    def test_keep_is_a_new_version_with_an_entry_in_the_log(self, capsys: Any, recipe: Path, tmp_path: Path) -> None:
        before = load_recipe(recipe)
        config = station(tmp_path, views={"front": {"recipe": str(recipe), "camera": simulated()}})
        words = ["--recipe", recipe, "--config", config, "--keep", "--who", "A. Meier", "--why", "new GPU"]
        status, out, err = self.call(capsys, self.bundle(recipe), *words)
        assert (status, err) == (0, "")
        now = load_recipe(recipe)
        assert f"kept in version {now.version:04d}" in out
        assert now.version == before.version + 1
        assert now.parity is not None
        assert now.parity.passed
        assert (now.parity.who, now.document.why) == ("A. Meier", "new GPU")
        assert now.card == before.card
        assert (now.folder / "challenge" / "challenge.yaml").is_file()
        (log,) = tmp_path.rglob("audit-000001.jsonl")
        entry = json.loads(log.read_text().splitlines()[-1])
        assert entry["action"] == "recipe"
        assert entry["after"]["parity"] == now.parity.sha256
        assert entry["after"]["change"] == "parity"
