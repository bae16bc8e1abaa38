"""docs/ops: promtool is content with every file, and they use only metrics that the station shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from edge.monitoring.families import FAMILIES
from tests.observability.running import OPS, ROOT, promtool

DASHBOARD: dict[str, Any] = json.loads((OPS / "grafana-dashboard.json").read_text())
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((OPS / "lineclear-alerts.yml").read_text())["groups"] for rule in group["rules"]
]
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
SAMPLES = {family.name + suffix for family in FAMILIES.values() for suffix in SUFFIXES.get(family.kind, ("",))}
LABELS = {family.name + suffix: family.labels for family in FAMILIES.values() for suffix in SUFFIXES.get(family.kind, ("",))}
BY_PROMETHEUS = {"up"}
OF_A_TARGET = {"job", "instance", "station", "le"}


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expr"), tuple(expressions()))
def test_every_metric_and_label_of_an_expression_is_there(where: str, expr: str) -> None:
    used = set(re.findall(r"\b(?:lineclear|process)_[a-z0-9_]+", expr)) | (set(re.findall(r"\bup\b", expr)))
    assert used
    assert used <= SAMPLES | BY_PROMETHEUS
    known = {label for name in used for label in LABELS.get(name, ())} | OF_A_TARGET
    named = re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expr) + re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expr)))
    assert set(named) <= known, where


def test_promtool_takes_the_rules_and_the_example() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", OPS / "lineclear-alerts.yml")
    promtool("check", "config", OPS / "prometheus.yml")


def test_each_alert_is_silent_while_all_is_well_and_loud_when_it_is_not() -> None:
    cases = yaml.safe_load((OPS / "lineclear-alerts-test.yml").read_text())["tests"]
    assert sorted(f"Lineclear{case['name']}" for case in cases) == sorted(rule["alert"] for rule in RULES)
    promtool("test", "rules", OPS / "lineclear-alerts-test.yml")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_each_alert_says_what_it_means_what_to_do_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    notes = rule["annotations"]
    assert notes["summary"].endswith(".")
    assert notes["description"].startswith("What to do: ")
    page, _, anchor = notes["runbook"].partition("#")
    text = (ROOT / page).read_text()
    headings = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert not anchor or anchor in headings
    labels = set(re.findall(r"\$labels\.(\w+)", notes["summary"] + notes["description"]))
    used = [name for name in LABELS if re.search(rf"\b{name}\b", rule["expr"])]
    assert labels <= {label for name in used for label in LABELS[name]} | OF_A_TARGET


def test_the_dashboard_is_one() -> None:
    """What Grafana needs to import it; panels do not lie on each other."""
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= set(DASHBOARD)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["type"] in ("row", "timeseries", "stat")
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert all(target["datasource"] == panel["datasource"] and target["refId"] for target in panel["targets"])
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]+)\}?", json.dumps(DASHBOARD))) <= variables


def test_every_part_of_the_station_has_a_row() -> None:
    rows = {panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"}
    assert rows == {"Now", "Verdicts", "Latency", "Cameras", "Outbox and archive", "Machine"}
