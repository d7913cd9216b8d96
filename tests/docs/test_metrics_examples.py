"""The alert rules and the dashboard of contrib have the form that is loaded, and ask for what is written."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.machine import Machine
from tests.support.services import running

_TOP = Path(__file__).parents[2]
_RULES = yaml.safe_load((_TOP / "contrib" / "prometheus" / "ddns.rules.yml").read_text())
_ALERTS: list[dict[str, Any]] = [rule for group in _RULES["groups"] for rule in group["rules"]]
_DASHBOARD = json.loads((_TOP / "contrib" / "grafana" / "ddns.json").read_text())
_PANELS: list[dict[str, Any]] = _DASHBOARD["panels"]
_DURATION = r"([0-9]+(ms|[smhdwy]))+"
_FUNCTIONS = {"time", "changes", "increase", "max_over_time", "sum", "by", "label_values", "unless"}
_OF_THE_SCRAPE = {"instance", "job"}  # labels that Prometheus adds
_DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Written = dict[str, dict[str, set[str]]]


@pytest.fixture
def written(small_machine: Machine) -> Written:
    """Give the metrics that a good run and a failed one write, with the values of their labels."""
    file = small_machine.folder / "ddns.prom"
    small_machine.environment["DDNS_METRICS_FILE"] = str(file)
    small_machine.init()
    with running() as gone:
        pass
    found: Written = {}
    for changes in ({}, {"DDNS_IP_SOURCES": gone.url}):
        small_machine.run(**changes)
        for family in text_string_to_metric_families(file.read_text()):
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    labels.setdefault(label, set()).add(value)
    return found


def asks_for_what_is_written(expression: str, written: Written) -> None:
    """Assert that the metrics of an expression of PromQL are written, with the labels and the values that it names."""
    selectors = re.findall(r"(ddns_\w+)(?:\{(.*?)\})?", expression)
    assert selectors, expression
    for metric, matchers in selectors:
        assert metric in written, expression
        for label, operator, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"', matchers):
            assert label in {*written[metric], *_OF_THE_SCRAPE}, expression
            assert operator == "=~" or value in written[metric][label], expression
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\{.*?\}|\[.*?\]|(?:by|ignoring) \(\w+\)|, \w+\)', "", expression)
    assert set(re.findall(r"[a-z]\w*", bare)) <= {*written, *_FUNCTIONS}, expression
    for label in re.findall(r"(?:by|ignoring) \((\w+)\)|, (\w+)\)", expression):
        assert set(filter(None, label)) <= {
            *_OF_THE_SCRAPE,
            *(each for metric, _ in selectors for each in written[metric]),
        }
    for window in re.findall(r"\[(.*?)\]", expression):
        assert re.fullmatch(rf"{_DURATION}|\$__rate_interval", window), expression
    assert expression.count("(") == expression.count(")")


# The alert rules: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/


def test_the_rules_have_the_form_of_a_rule_file() -> None:
    assert set(_RULES) == {"groups"}
    for group in _RULES["groups"]:
        assert set(group) <= {"name", "interval", "rules"}
    assert len({group["name"] for group in _RULES["groups"]}) == len(_RULES["groups"])
    for rule in _ALERTS:
        assert (
            {"alert", "expr", "labels", "annotations"} <= set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        )
        assert re.fullmatch(r"Ddns[A-Za-z]+", rule["alert"])
        assert re.fullmatch(_DURATION, rule.get("for", "0s"))
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        for text in (*rule["labels"].values(), *rule["annotations"].values()):
            assert isinstance(text, str)
            assert text
            assert "\n" not in text
    assert len({rule["alert"] for rule in _ALERTS}) == len(_ALERTS)


def test_the_rules_speak_of_metrics_that_are_written(written: Written) -> None:
    for rule in _ALERTS:
        asks_for_what_is_written(rule["expr"], written)


def test_the_texts_of_an_alert_name_labels_that_its_metric_has(written: Written) -> None:
    for rule in _ALERTS:
        metric, *_ = re.findall(r"ddns_\w+", rule["expr"])  # whose labels the others can only take away
        for text in rule["annotations"].values():
            for template in re.findall(r"\{\{(.*?)\}\}", text):
                label = re.fullmatch(r" \$labels\.(\w+) | \$value(?: \| humanizeDuration)? ", template)
                assert label, template
                assert label[1] in {None, "instance", *written[metric]}


def test_the_commands_and_settings_that_an_alert_names_exist(small_machine: Machine) -> None:
    texts = " ".join(text for rule in _ALERTS for text in rule["annotations"].values())
    small_machine.init()
    commands = set(re.findall(r"`ddns ([^`]+)`", texts))
    assert commands
    for command in commands:
        assert small_machine.ddns(*command.split()).status == 0
    assert set(re.findall(r"DDNS_\w+", texts)) <= set(re.findall(r"DDNS_\w+", (_TOP / ".env.example").read_text()))


# The dashboard: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/


def test_the_dashboard_has_the_form_of_one_that_is_to_be_imported() -> None:
    assert (_DASHBOARD["id"], _DASHBOARD["uid"]) == (None, None)  # Grafana gives it both
    assert _DASHBOARD["title"]
    assert _DASHBOARD["schemaVersion"] >= 39
    assert {"time", "refresh", "templating", "annotations", "panels", "tags", "timezone"} <= set(_DASHBOARD)
    assert "__inputs" not in _DASHBOARD


def test_the_panels_stand_beside_one_another() -> None:
    ids = [panel["id"] for panel in _PANELS]
    assert len(set(ids)) == len(ids)
    cells: set[tuple[int, int]] = set()
    for panel in _PANELS:
        place = panel["gridPos"]
        assert set(place) == {"x", "y", "w", "h"}
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        taken = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        cells |= taken
    assert len(cells) == 24 * (1 + max(y for _, y in cells))  # and leave no hole


def test_every_panel_asks_the_chosen_data_source() -> None:
    for panel in _PANELS:
        assert panel["type"] in ("stat", "timeseries", "table")
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"] == _DATA_SOURCE
        assert {"defaults", "overrides"} == set(panel["fieldConfig"])
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(set(references)) == len(references)
        for target in panel["targets"]:
            assert target["datasource"] == _DATA_SOURCE
            assert target["instant"] is not target["range"]
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None
        assert [step["value"] for step in steps[1:]] == sorted(step["value"] for step in steps[1:])


def test_the_variables_are_those_that_the_panels_use() -> None:
    variables = {variable["name"]: variable for variable in _DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    for variable in variables.values():
        assert variable["current"] == {}
        assert variable["options"] == []
    text = json.dumps(_DASHBOARD)
    used = set(re.findall(r"\$\{?([a-z]\w*)", text))
    assert used == set(variables)


def test_the_dashboard_carries_nothing_of_the_instance_where_it_was_made() -> None:
    assert set(keyed("uid", _DASHBOARD)) == {None, "${datasource}"}
    assert not re.search(r"https?://|localhost|:9100|:9090", json.dumps(_DASHBOARD))


def keyed(key: str, value: Any) -> Iterator[Any]:
    """Give everything that stands under `key`, at any depth."""
    if isinstance(value, dict):
        yield from [value[key]] if key in value else []
        for each in value.values():
            yield from keyed(key, each)
    elif isinstance(value, list):
        for each in value:
            yield from keyed(key, each)


def test_the_panels_ask_for_metrics_that_are_written_and_show_all_of_them(written: Written) -> None:
    shown = set()
    for panel in _PANELS:
        for target in panel["targets"]:
            asks_for_what_is_written(target["expr"], written)
            (metric,) = re.findall(r"ddns_\w+", target["expr"])
            shown.add(metric)
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= set(written[metric])
    assert shown == set(written)
    for variable in _DASHBOARD["templating"]["list"][1:]:
        asks_for_what_is_written(variable["definition"], written)
        assert variable["query"]["query"] == variable["definition"]


def test_every_outcome_and_every_state_has_a_colour(written: Written) -> None:
    for panel in _PANELS:
        named = [each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]]
        if "{{outcome}}" in panel["targets"][0]["legendFormat"]:
            assert set(named) == written["ddns_runs_total"]["outcome"]
        if panel["title"] == "Records":
            properties = {each["id"]: each["value"] for each in panel["fieldConfig"]["overrides"][0]["properties"]}
            assert set(properties["mappings"][0]["options"]) == written["ddns_record_state"]["state"]
