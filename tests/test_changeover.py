"""Changeover: every view together or none, refused by name, kept over a restart, never beside a clearance."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.bundle import Bundle
from edge.changeover import Changeover, Place, ProductFile, Seats, product_name
from edge.engines.base import Engine
from edge.engines.simulated import SimulatedEngine
from edge.errors import EngineFault, LineclearError, RecipeError
from edge.loop import EngineOffer, Seating, Station, SwitchRefused
from edge.loop.engines import EngineRoom
from edge.recipe import load_recipe
from edge.settings.engines import SimulatedEngineSettings
from edge.types import Outcome, ReasonCode
from tests.station_parts import Event, ScriptedCamera, make_recipe, make_station, scene, with_noise

CLEAN = Event(with_noise(scene(), 1))
VIEWS = ("front", "back")
SIGNED = {"who": "A. Meier", "why": "next batch"}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """recipes/{product}/{view}: two whole products, one that lacks a view, one whose view has no card."""
    root = tmp_path_factory.mktemp("recipes")
    for product in ("aspirin", "ibuprofen", "zinc", "half"):
        for view in VIEWS if product != "half" else VIEWS[:1]:
            make_recipe(root / product, view, product=product)
    current = root / "zinc" / "back" / "current"
    current.write_text("0001\n")  # the version before its thresholds were taken
    return root


def places(recipes: Path) -> tuple[Place, ...]:
    return tuple(Place(view, str(recipes / "{product}" / view), "scripted", "") for view in VIEWS)


def simulated(bundle: Bundle) -> Engine:
    return SimulatedEngine(bundle.manifest, SimulatedEngineSettings())


@contextlib.contextmanager
def running(recipes: Path, tmp_path: Path, make_engine=simulated, **more) -> Iterator[tuple[Station, Changeover]]:
    loaded = {view: load_recipe(recipes / "aspirin" / view) for view in VIEWS}
    cameras = {view: ScriptedCamera(view, [CLEAN] * 20) for view in VIEWS}
    with make_station(loaded, cameras) as station:
        in_force = {name: view.seating for name, view in station.views.items()}
        seats = Seats(places(recipes), make_engine)
        guard = more.pop("guard", contextlib.nullcontext)
        yield station, Changeover(station, seats, ProductFile(tmp_path / "product.json"), "aspirin", in_force, guard, **more)


def products(station: Station) -> dict[str, str]:
    return {name: view.origin.product for name, view in station.views.items()}


def judged(station: Station) -> set[Outcome]:
    return {station.ask(view, 1, 5, None)[0].result(30).outcome for view in VIEWS}


def test_all_views_switch_together_and_go_on_judging(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as (station, changeover):
        assert judged(station) == {Outcome.PASS}
        selected = changeover.select("ibuprofen", **SIGNED)
        assert selected.changed
        assert products(station) == dict.fromkeys(VIEWS, "ibuprofen")
        assert judged(station) == {Outcome.PASS}
        assert not changeover.select("ibuprofen", **SIGNED).changed
        assert not changeover.reload(**SIGNED).changed
    assert ProductFile(tmp_path / "product.json").read() == "ibuprofen"


@pytest.mark.parametrize(
    ("product", "named"),
    [("half", "back: has no recipe"), ("nothing", "front: has no recipe"), ("zinc", "back: card_missing")],
)
def test_a_product_that_lacks_a_view_is_refused_by_name_and_nothing_changes(recipes, tmp_path, product, named) -> None:
    with running(recipes, tmp_path) as (station, changeover):
        before = {name: view.seating for name, view in station.views.items()}
        with pytest.raises(SwitchRefused, match=named):
            changeover.select(product, **SIGNED)
        assert {name: view.seating for name, view in station.views.items()} == before
        assert changeover.selected.product == "aspirin"
        assert judged(station) == {Outcome.PASS}
    assert ProductFile(tmp_path / "product.json").read() is None


def test_a_recipe_of_another_product_in_the_folder_is_refused(recipes: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").symlink_to(recipes / "ibuprofen")
    with running(recipes, tmp_path) as (station, changeover):
        changeover._seats = Seats(places(tmp_path), simulated)
        with pytest.raises(SwitchRefused, match="is for product 'ibuprofen', not 'wrong'"):
            changeover.select("wrong", **SIGNED)
        assert products(station) == dict.fromkeys(VIEWS, "aspirin")


def test_an_engine_that_fails_refuses_the_whole_changeover(recipes: Path, tmp_path: Path) -> None:
    class Broken(SimulatedEngine):
        def __enter__(self) -> "Broken":
            raise EngineFault("golden vectors differ", where="bundle x")

    def broken(bundle: Bundle) -> Engine:
        return Broken(bundle.manifest, SimulatedEngineSettings())

    with running(recipes, tmp_path, broken) as (station, changeover):
        with pytest.raises(SwitchRefused, match="engine_fault: bundle x: golden vectors differ"):
            changeover.select("ibuprofen", **SIGNED)
        assert judged(station) == {Outcome.PASS}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\nb", " a", "$SYS", "x" * 81, "a\0b", "+"])
def test_what_cannot_name_a_product_never_becomes_a_path(recipes: Path, tmp_path: Path, name: str) -> None:
    with running(recipes, tmp_path) as (_, changeover), pytest.raises(SwitchRefused, match="product: "):
        changeover.select(name, **SIGNED)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=90))
def test_a_product_that_is_taken_is_one_part_of_a_path(text: str) -> None:
    with contextlib.suppress(ValueError):
        name = product_name(text)
        assert Path("a", name, "b").parts == ("a", name, "b")
        assert name not in (".", "..")


def test_a_running_clearance_forbids_it(recipes: Path, tmp_path: Path) -> None:
    @contextlib.contextmanager
    def busy() -> Iterator[None]:
        raise LineclearError("a clearance is running: r-1")
        yield

    with running(recipes, tmp_path, guard=busy) as (station, changeover):
        with pytest.raises(LineclearError, match="r-1"):
            changeover.select("ibuprofen", **SIGNED)
        assert products(station) == dict.fromkeys(VIEWS, "aspirin")


def test_a_change_that_cannot_be_audited_is_not_made(recipes: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, Mapping[str, str], Mapping[str, str], str]] = []

    def trace(product: str, before: Mapping[str, str], after: Mapping[str, str], who: str, why: str) -> None:
        seen.append((product, before, after, f"{who}: {why}"))
        raise RecipeError("the audit log is full")

    with running(recipes, tmp_path, trace=trace) as (station, changeover):
        with pytest.raises(RecipeError, match="audit log is full"):
            changeover.select("ibuprofen", **SIGNED)
        assert products(station) == dict.fromkeys(VIEWS, "aspirin")
    assert [(product, signed) for product, _, _, signed in seen] == [("ibuprofen", "A. Meier: next batch")]
    assert seen[0][2] == {"front": "front 0002", "back": "back 0002"}


def test_a_judge_that_does_not_answer_is_not_switched_later(recipes: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("edge.changeover.SWITCH_TIMEOUT_S", 0.05)
    with running(recipes, tmp_path) as (station, changeover):
        hold, held = threading.Event(), threading.Event()

        def work() -> None:
            held.set()
            assert hold.wait(20)

        holding = station._desk.call(work, LineclearError("stopped"))
        assert held.wait(20)
        with pytest.raises(SwitchRefused, match="did not answer"):
            changeover.select("ibuprofen", **SIGNED)
        hold.set()
        holding.result(20)
        assert judged(station) == {Outcome.PASS}
        assert products(station) == dict.fromkeys(VIEWS, "aspirin")


def test_a_stopped_station_refuses(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as (_, changeover):
        pass
    with pytest.raises(SwitchRefused, match="the station was stopped"):
        changeover.select("ibuprofen", **SIGNED)


def test_a_recipe_that_is_not_there_at_the_start_is_a_seating_that_says_so(recipes: Path) -> None:
    seatings, engines = Seats(places(recipes), simulated).all("half")
    assert seatings["front"].blocked is None
    assert seatings["back"].blocked is not None
    assert seatings["back"].blocked.reason is not None
    assert seatings["back"].blocked.reason.code is ReasonCode.RECIPE_INVALID
    assert len(engines) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"product": "../x"}', '{"product": 3', "\x00"])
def test_a_damaged_product_file_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "product.json").write_text(text)
    assert ProductFile(tmp_path / "product.json").read() is None


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be written"):
        ProductFile(tmp_path / "no-such-folder" / "product.json").write("x")


class Counted:
    """An engine that counts how often it is open."""

    def __init__(self, log: list[str], name: str) -> None:
        self._log, self._name = log, name

    def __enter__(self) -> "Counted":
        self._log.append(f"+{self._name}")
        return self

    def __exit__(self, *_: object) -> None:
        self._log.append(f"-{self._name}")


def test_engines_stay_warm_within_the_budget_and_the_oldest_goes_first() -> None:
    log: list[str] = []
    room = EngineRoom(warm_bytes=4 << 40)
    for name in "abc":
        room.open(name, EngineOffer(Counted(log, name), 1 << 40))  # type: ignore[arg-type]
    room.trim({"c"})
    assert log == ["+a", "+b", "+c"]
    room.open("a", EngineOffer(Counted(log, "a")))  # type: ignore[arg-type]
    assert log == ["+a", "+b", "+c"]
    room._warm_bytes = 1 << 40
    room.trim({"c"})
    assert log[3:] == ["-b"]
    room.close()
    assert log[4:] == ["-a", "-c"]
    assert room.keys == ()


def test_a_seating_without_engine_stays_as_it_is(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as (station, _):
        blocked = Seats(places(recipes), simulated).all("nothing")[0]
        ended: Future[None] = station.switch({"front": blocked["front"]}, {})
        with pytest.raises(SwitchRefused, match="front: recipe_invalid"):
            ended.result(20)
        assert isinstance(station.views["front"].seating, Seating)
        assert judged(station) == {Outcome.PASS}


def test_a_station_where_no_product_was_ever_selected_can_read_its_recipes_again(recipes: Path, tmp_path: Path) -> None:
    """Its config names the recipes themselves; they are for aspirin, and nobody ever said so to the changeover."""
    loaded = {view: load_recipe(recipes / "aspirin" / view) for view in VIEWS}
    cameras = {view: ScriptedCamera(view, [CLEAN] * 4) for view in VIEWS}
    fixed = tuple(Place(view, str(recipes / "aspirin" / view), "scripted", "") for view in VIEWS)
    with make_station(loaded, cameras) as station:
        in_force = {name: view.seating for name, view in station.views.items()}
        kept = ProductFile(tmp_path / "product.json")
        changeover = Changeover(station, Seats(fixed, simulated), kept, "", in_force, contextlib.nullcontext)
        assert changeover.reload(**SIGNED).recipes == {"front": "front 0002", "back": "back 0002"}
        assert judged(station) == {Outcome.PASS}
        assert kept.read() is None
        with pytest.raises(SwitchRefused, match="is for product 'aspirin', not 'zinc'"):
            changeover.select("zinc", **SIGNED)


def test_a_reload_may_leave_named_views_without_a_card_and_no_others(recipes: Path, tmp_path: Path) -> None:
    for view in VIEWS:
        make_recipe(tmp_path / "own" / "aspirin", view)
    with running(tmp_path / "own", tmp_path) as (station, changeover):
        (tmp_path / "own" / "aspirin" / "back" / "current").write_text("0001\n")  # before its thresholds were taken
        with pytest.raises(SwitchRefused, match="card_missing"):
            changeover.reload(**SIGNED)
        with pytest.raises(SwitchRefused, match="back"):
            changeover.reload(**SIGNED, may_block={"front"})
        assert judged(station) == {Outcome.PASS}
        assert changeover.reload(**SIGNED, may_block={"back"}).changed
        outcomes = {view: station.ask(view, 1, 5, None)[0].result(30).outcome for view in VIEWS}
        assert outcomes == {"front": Outcome.PASS, "back": Outcome.UNDECIDED}
        (tmp_path / "own" / "aspirin" / "back" / "current").unlink()  # now it is no recipe at all
        assert changeover.reload(**SIGNED, may_block={"back"}).changed
        assert station.views["back"].blocked is not None


def test_a_product_that_cannot_be_kept_is_in_force_and_the_error_says_so(recipes: Path, tmp_path: Path) -> None:
    settled: list[Mapping[str, str] | None] = []
    with running(recipes, tmp_path, settled=settled.append) as (station, changeover):
        (tmp_path / "product.json").mkdir()
        with pytest.raises(RecipeError, match="'ibuprofen' is in force now, but would not be after a restart"):
            changeover.select("ibuprofen", **SIGNED)
        assert products(station) == dict.fromkeys(VIEWS, "ibuprofen")
        assert changeover.selected.product == "ibuprofen"
        assert settled == [{"front": "front 0002", "back": "back 0002"}]


def test_an_engine_that_cannot_be_closed_does_not_undo_a_changeover(recipes: Path, tmp_path: Path, monkeypatch) -> None:
    def refuse(self: SimulatedEngine, *_: object) -> None:
        raise EngineFault("the driver does not answer")

    with running(recipes, tmp_path) as (station, changeover):
        monkeypatch.setattr(SimulatedEngine, "__exit__", refuse)
        station._switching._room._warm_bytes = -1  # the simulated engine takes no memory: even nothing is too much now
        assert changeover.select("ibuprofen", **SIGNED).changed
        assert products(station) == dict.fromkeys(VIEWS, "ibuprofen")
        assert "engine" not in station._switching._room.keys
        assert judged(station) == {Outcome.PASS}


def test_a_judge_that_fails_in_the_middle_switches_nothing_and_says_what_happened(recipes: Path, tmp_path: Path) -> None:
    class Broken(SimulatedEngine):
        def __enter__(self):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError("nobody foresaw this")

    made: list[Engine] = []

    def second_fails(bundle: Bundle) -> Engine:
        made.append(Broken(bundle.manifest, SimulatedEngineSettings()))
        return made[-1]

    with running(recipes, tmp_path, second_fails) as (station, changeover):
        with pytest.raises(SwitchRefused, match="the judge failed: see the log"):
            changeover.select("ibuprofen", **SIGNED)
        assert products(station) == dict.fromkeys(VIEWS, "aspirin")
        assert judged(station) == {Outcome.PASS}  # the judge came back with what was in force
        assert changeover.selected.product == "aspirin"


def test_offers_of_engines_out_of_use_are_not_collected(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as (station, changeover):
        for product in ("ibuprofen", "aspirin") * 3:
            changeover.select(product, **SIGNED)
        assert set(station._switching._engines) == {view.seating.engine_key for view in station.views.values()}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["aspirin", "ibuprofen", "zinc", "half", ""]), st.sampled_from(["", "trace", "kept"])),
        min_size=1,
        max_size=6,
    )
)
def test_after_any_changeovers_every_view_has_one_product_and_judges(recipes: Path, tmp_path: Path, orders) -> None:
    """Whatever is refused at whatever step: all views are of one product, which is the one that the changeover says."""
    fault = [""]

    def trace(*_: object) -> None:
        if fault[0] == "trace":
            raise RecipeError("the audit log is full")

    kept = ProductFile(tmp_path / "product.json")
    write = kept.write

    def keep(product: str) -> None:
        if fault[0] == "kept":
            raise RecipeError("disk full", where="product.json")
        write(product)

    kept.write = keep  # type: ignore[method-assign]
    loaded = {view: load_recipe(recipes / "aspirin" / view) for view in VIEWS}
    with make_station(loaded, {view: ScriptedCamera(view, [CLEAN] * 40) for view in VIEWS}) as station:
        in_force = {name: view.seating for name, view in station.views.items()}
        seats = Seats(places(recipes), simulated)
        changeover = Changeover(station, seats, kept, "aspirin", in_force, contextlib.nullcontext, trace)
        for product, fault[0] in orders:
            before = changeover.selected.product
            try:
                after = changeover.select(product, **SIGNED).product
            except LineclearError:
                after = product if fault[0] == "kept" and product in ("aspirin", "ibuprofen") else before
            assert changeover.selected.product == after
            assert products(station) == dict.fromkeys(VIEWS, after)
            assert judged(station) == {Outcome.PASS}
