"""The files of infra/grafana fit together, fit Grafana, and name what exists here."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
import yaml  # type: ignore[import-untyped]

from schemas.settings import Settings, documented
from schemas.spans import PUBLIC
from schemas.views import VIEWS
from tests.dashboards import FOLDER, Json, dashboards, queries, used_variables

DASHBOARDS = dashboards()
PLUGIN = "grafana-clickhouse-datasource"
CHOSEN = {"type": PLUGIN, "uid": "${datasource}"}
FORMATS = {
    "timeseries": ("timeseries", 0),
    "table": ("table", 1),
    "stat": ("table", 1),
    "logs": ("logs", 2),
    "traces": ("traces", 3),
}
"""The plugin's query type and format, by the type of the panel."""


@pytest.fixture(params=DASHBOARDS)
def dashboard(request: pytest.FixtureRequest) -> Json:
    """Each dashboard."""
    return DASHBOARDS[request.param]


@pytest.fixture(scope="module")
def source() -> Json:
    """The provisioned data source."""
    document = yaml.safe_load(
        (FOLDER / "provisioning/datasources/evalstream.yaml").read_text(encoding="utf-8")
    )
    (found,) = document["datasources"]
    return dict(found)


def test_the_data_source_is_this_server(source: Json) -> None:
    settings = source["jsonData"]
    assert source["type"] == PLUGIN
    assert (settings["protocol"], settings["port"]) == ("http", Settings().sql_port)
    assert float(settings["queryTimeout"]) <= Settings().sql_seconds
    assert source["secureJsonData"] == {"password": "$EVALSTREAM_API_KEY"}


def test_the_data_source_names_columns_that_exist(source: Json) -> None:
    columns = {"spans": {c.name for c in PUBLIC}} | {
        name: {c.name for c in view.columns} for name, view in VIEWS.items()
    }
    for signal in ("logs", "traces"):
        mapped = source["jsonData"][signal]
        named = {column for key, column in mapped.items() if key.endswith("Column")}
        assert named <= columns[mapped["defaultTable"]]


def test_variables_of_the_environment_are_settings() -> None:
    known = {name for name, _, _ in documented()}
    texts = [file.read_text(encoding="utf-8") for file in FOLDER.rglob("*.*")]
    assert {
        name for text in texts for name in re.findall(r"\bEVALSTREAM_[A-Z_]*[A-Z]\b", text)
    } - known == set()


def test_dashboards_are_read_from_the_folder_that_the_page_mounts() -> None:
    document = yaml.safe_load(
        (FOLDER / "provisioning/dashboards/evalstream.yaml").read_text(encoding="utf-8")
    )
    (provider,) = document["providers"]
    page = (FOLDER.parents[1] / "docs/deploy/grafana.md").read_text(encoding="utf-8")
    assert page.count(f"dashboards:{provider['options']['path']}:ro") == 1
    assert f"mountPath: {provider['options']['path']}" in page


def test_a_dashboard_has_an_id_of_its_own_and_none_of_the_database(dashboard: Json) -> None:
    assert re.fullmatch(r"evalstream-[a-z-]{1,29}", dashboard["uid"])
    assert dashboard["id"] is None
    assert sum(other["uid"] == dashboard["uid"] for other in DASHBOARDS.values()) == 1


def test_the_chosen_data_source_is_the_provisioned_one(dashboard: Json, source: Json) -> None:
    variable = dashboard["templating"]["list"][0]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", PLUGIN)
    assert (variable["current"]["value"], variable["current"]["text"]) == (source["uid"], source["name"])


def test_everything_asks_the_chosen_data_source(dashboard: Json) -> None:
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    asked = [panel["datasource"] for panel in panels]
    asked += [target["datasource"] for panel in panels for target in panel["targets"]]
    asked += [v["datasource"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    assert [found for found in asked if found != CHOSEN] == []


def test_panels_have_ids_descriptions_and_the_format_that_they_show(dashboard: Json) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        if panel["type"] == "row":
            continue
        (target,) = panel["targets"]
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert target["editorType"] == "sql"
        assert (target["queryType"], target["format"]) == FORMATS[panel["type"]], panel["title"]


def test_panels_lie_side_by_side(dashboard: Json) -> None:
    cells = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in (panel["gridPos"] for panel in dashboard["panels"])
    ]
    assert all(0 <= x < 24 for found in cells for x, _ in found)
    assert [1 for one, other in combinations(cells, 2) if one & other] == []


def test_variables_are_declared_and_used(dashboard: Json) -> None:
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = {name for query in queries(dashboard) for name in used_variables(query.sql)}
    assert used == declared - {"datasource"}


def test_a_variable_is_defined_by_its_query(dashboard: Json) -> None:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["definition"] == variable["query"]["rawSql"]
            assert (variable["multi"], variable["includeAll"]) == (True, True)


def test_links_lead_to_the_dashboard_itself(dashboard: Json) -> None:
    links = [
        link["url"]
        for panel in dashboard["panels"]
        for override in panel.get("fieldConfig", {}).get("overrides", [])
        for change in override["properties"]
        if change["id"] == "links"
        for link in change["value"]
    ]
    assert links
    assert {link.partition("?")[0] for link in links} == {f"/d/{dashboard['uid']}"}
