"""The examples for many machines, and the page about them, say nothing that is not so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click import Context

from scenesync.app.cli import cli
from scenesync.app.dashboard import measures
from scenesync.app.running.daemon import LONGEST_GOODBYE_S
from scenesync.app.settings import Settings, load_settings
from scenesync.queue.distributed import connections, sign_of_life
from scenesync.store import postgres_engine
from scenesync.web.api import health

ROOT: Final = Path(__file__).parents[3]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/compose.cluster.yaml").read_text(encoding="utf-8"))
SERVICES: Final = COMPOSE["services"]
WORKERS: Final = [name for name in SERVICES if name.startswith("worker-")]
KUBERNETES: Final[list[dict[str, Any]]] = yaml.safe_load((ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8"))[
    "items"
]
PAGE: Final = (ROOT / "docs/CLUSTER.md").read_text(encoding="utf-8")
SECRETS: Final = {
    "database-url": "postgresql://scenesync:not-a-real-password@postgres:5432/scenesync",
    "stash-api-key": "not-a-real-key",
    "plex-token": "not-a-real-token",
    "http-api-key": "not-a-real-key-of-48-characters",
}


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Settings:
    """Load the settings of a container, whose secrets lie in ``folder``; every variable is one that there is."""
    for name, text in SECRETS.items():
        (folder / name).write_text(text)
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            plain = re.sub(r"\$\{\w+:\?.*?\}", "http://plex.example:32400", value)
            patch.setenv(name, str(folder / Path(plain).name) if name.endswith("_FILE") else plain)
        loaded = load_settings(default_dir=folder)
    assert loaded.warnings == ()
    assert len([key for key, origin in loaded.origins.items() if origin.startswith("environment")]) == len(environment)
    return loaded.settings


def kinds(kind: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in KUBERNETES if item["kind"] == kind}


def pod_of(item: dict[str, Any]) -> dict[str, Any]:
    return item["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def find_command(words: list[str]) -> object:
    command: Any = cli
    for word in words:
        command = command.get_command(Context(command), word)
    return command


# -- compose


@pytest.mark.parametrize("name", ["upgrade", *WORKERS])
def test_every_variable_of_a_service_is_a_setting_and_every_secret_a_file_that_it_gets(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = SERVICES[name]
    settings = settings_of(service["environment"], monkeypatch, tmp_path)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == SECRETS["database-url"]
    files = {value for key, value in service["environment"].items() if key.endswith("_FILE")}
    assert files == {f"/run/secrets/{secret}" for secret in service["secrets"]}
    assert not [value for value in service["environment"].values() if value in SECRETS.values()]


def test_every_secret_is_a_file_beside_the_example_that_git_does_not_see() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    assert all(secret == {"file": f"./secrets/{name}"} for name, secret in COMPOSE["secrets"].items())
    assert all(f"secrets/{name}" in PAGE for name in used), "the page says how each comes about"


def test_workers_begin_when_the_database_has_been_upgraded_which_waits_for_it() -> None:
    upgrade = SERVICES["upgrade"]
    assert find_command(upgrade["command"]) is not None
    assert upgrade["restart"] == "no"
    assert upgrade["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "pg_isready" in SERVICES["postgres"]["healthcheck"]["test"]
    assert len(WORKERS) == 2
    for name in WORKERS:
        assert SERVICES[name]["depends_on"] == {"upgrade": {"condition": "service_completed_successfully"}}
        assert "command" not in SERVICES[name], "the image's own: run"


def test_whoever_stops_is_given_the_time_for_it() -> None:
    for name in ("upgrade", *WORKERS):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > LONGEST_GOODBYE_S
    assert SERVICES["postgres"]["stop_grace_period"] == "60s"
    for item in kinds("Deployment").values():
        assert pod_of(item)["terminationGracePeriodSeconds"] > LONGEST_GOODBYE_S


def test_the_hook_has_its_outbox_with_one_worker_and_no_two_workers_share_a_directory() -> None:
    volumes = {name: SERVICES[name]["volumes"][0].split(":")[0] for name in ("upgrade", *WORKERS)}
    assert len(set(volumes.values())) == len(volumes)
    [in_stash] = [volume for volume in SERVICES["stash"]["volumes"] if volume.startswith("outbox:")]
    assert volumes["worker-1"] == "outbox"
    assert SERVICES["stash"]["user"] == SERVICES["worker-1"]["user"]
    data_dir = "/data/scenesync"  # the image's own, with its volume at /data
    assert SERVICES["stash"]["environment"]["SCENESYNC_DATA_DIR"] == data_dir.replace("/data", in_stash.split(":")[1])
    assert set(volumes.values()) < set(COMPOSE["volumes"])


# -- Kubernetes


def test_every_setting_in_kubernetes_is_one_and_every_secret_is_in_the_command_that_makes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = kinds("ConfigMap")["scenesync"]["data"]
    settings = settings_of(data, monkeypatch, tmp_path)
    assert settings.http_trusted_hosts[0] in kinds("Service")
    example = (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
    made = set(re.findall(r"--from-file=(\S+)", example))
    assert {Path(value).name for key, value in data.items() if key.endswith("_FILE")} == made
    for item in (*kinds("Job").values(), *kinds("Deployment").values()):
        [container] = pod_of(item)["containers"]
        assert container["envFrom"] == [{"configMapRef": {"name": "scenesync"}}]
        assert "/run/secrets/scenesync" in {mount["mountPath"] for mount in container["volumeMounts"]}
        assert pod_of(item)["enableServiceLinks"] is False


def test_the_probes_ask_what_answers_without_a_key() -> None:
    paths = {route.path for route in health.router.routes}
    for item in kinds("Deployment").values():
        [container] = pod_of(item)["containers"]
        probes = {name: probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
        assert probes["livenessProbe"] == probes["startupProbe"] == "/health/live"
        assert probes["readinessProbe"] == "/health/ready"
        assert set(probes.values()) <= paths
        assert container["ports"] == [{"name": "http", "containerPort": Settings.model_fields["http_port"].default}]


def test_a_deployment_for_workers_one_for_the_web_and_a_service_that_leads_to_the_web_alone() -> None:
    deployments = kinds("Deployment")
    assert sorted(deployments) == ["scenesync-web", "scenesync-worker"]
    for item in deployments.values():
        assert item["spec"]["selector"]["matchLabels"] == item["spec"]["template"]["metadata"]["labels"]
    [service] = kinds("Service").values()
    chosen = [
        name
        for name, item in deployments.items()
        if service["spec"]["selector"].items() <= item["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert chosen == ["scenesync-web"]
    [job] = kinds("Job").values()
    assert find_command(pod_of(job)["containers"][0]["args"]) is not None


# -- the page


def test_every_metric_that_is_to_be_watched_is_told() -> None:
    named = set(re.findall(r"`(scenesync_[a-z_]+)", PAGE.partition("## What to watch")[2])) - {"scenesync_jobs"}
    told = set(re.findall(r'"(scenesync_[a-z_]+)"', Path(measures.__file__).read_text(encoding="utf-8")))
    assert named <= told
    assert len(named) > 8


def test_the_page_counts_the_connections_that_there_may_be() -> None:
    most = connections._MOST_CONNECTIONS + 1 + 1 + postgres_engine._READERS_MOST + 1
    assert f"**{most}**" in PAGE
    assert f"max_connections = {most} " in PAGE


def test_the_page_says_when_a_silent_worker_is_dead() -> None:
    stall_s = sign_of_life.STALL_S
    assert f"no sign of life for {stall_s:.0f} s" in PAGE
    assert f"to be silent for {stall_s / sign_of_life._WATCHED_PER_STALL:.0f} s" in PAGE
