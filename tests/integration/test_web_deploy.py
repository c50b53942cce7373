"""The files for Grafana, Prometheus and start pages name what is really there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from web_world import WebWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    with WebWorld(tmp_path_factory.mktemp("deploy") / "data") as world:
        scene_id, _ = world.pair("shown", title="Lock and weir")
        world.synced(scene_id)
        yield world


def test_every_figure_of_the_grafana_dashboard_is_one_of_metrics_and_the_other_way_round(world: WebWorld) -> None:
    dashboard = (DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8")
    panels = json.loads(dashboard)["panels"]
    asked = {
        name for panel in panels for each in panel["targets"] for name in re.findall(r"scenesync_\w+", each["expr"])
    }
    text = world.ask("GET", "/metrics").data.decode()
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {name.removesuffix("_bucket") for name in asked} <= told
    not_shown = told - {name.removesuffix("_bucket") for name in asked}
    assert not_shown == {
        "scenesync_attempt_seconds",
        "scenesync_jobs_completed_total",
        "scenesync_jobs_failed_total",
        "scenesync_jobs_waiting_after_error",
    }


def test_every_field_of_the_start_page_is_one_of_the_widget(world: WebWorld) -> None:
    [group] = yaml.safe_load((DEPLOY / "homepage.yaml").read_text(encoding="utf-8"))
    widget = group["Media"][0]["SceneSync"]["widget"]
    assert widget["url"].endswith("/api/v1/widget")
    assert {mapping["field"] for mapping in widget["mappings"]} <= world.get("/widget").keys()
    assert "X-Api-Key" in widget["headers"]
