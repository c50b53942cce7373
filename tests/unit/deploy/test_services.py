"""The container file, the compose example and the systemd unit say nothing that is not so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from scenesync.app.cli import cli
from scenesync.app.settings import Settings, load_settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UNIT = (DEPLOY / "scenesync.service").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
INSTRUCTIONS = [
    (word, rest.strip())
    for line in re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8")).splitlines()
    if line and not line.startswith("#")
    for word, _, rest in [line.partition(" ")]
]


def said(instruction: str) -> list[str]:
    return [rest for word, rest in INSTRUCTIONS if word == instruction]


def settings_in(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Return where each setting came from, with this environment and no other."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    loaded = load_settings(default_dir=tmp_path)
    assert loaded.warnings == ()
    return {key: origin for key, origin in loaded.origins.items() if origin.startswith("environment")}


# -- the container file


def test_the_container_runs_the_daemon_as_nobody_special_with_one_volume() -> None:
    [entry], [command], [user], [volume], [data] = (
        json.loads(said("ENTRYPOINT")[0]),
        json.loads(said("CMD")[0]),
        said("USER"),
        said("VOLUME"),
        re.findall(r"SCENESYNC_DATA_DIR=(\S+)", " ".join(said("ENV"))),
    )
    assert entry in PROJECT["scripts"]
    assert command in cli.commands or cli.get_command(None, command)  # type: ignore[arg-type] - it looks by name alone
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    [port] = said("EXPOSE")
    assert COMPOSE["services"]["scenesync"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert Settings.model_fields["http_port"].default == int(port)
    assert data.startswith(f"{volume}/")
    order = [word for word, _ in INSTRUCTIONS]
    assert order.index("USER") > max(number for number, word in enumerate(order) if word in {"RUN", "COPY"})


def test_the_health_check_of_the_container_is_a_command_that_there_is() -> None:
    [check] = said("HEALTHCHECK")
    name, command = json.loads(check[check.index("CMD") + 3 :])
    assert name in PROJECT["scripts"]
    assert cli.get_command(None, command) is not None  # type: ignore[arg-type]


def test_what_is_copied_into_the_container_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for line in said("COPY") if "--from" not in line for name in line.split()[:-1]}
    assert {name.removeprefix("./") for name in copied} == allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_both_stages_have_a_python_that_is_supported() -> None:
    images = {line.split()[0] for line in said("FROM")}
    [version] = {re.fullmatch(r"python:(3\.\d+)-slim", image)[1] for image in images}  # type: ignore[index]
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


# -- the compose example


def test_every_variable_of_the_compose_example_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = COMPOSE["services"]
    for service, wanted in (("scenesync", 4), ("stash", 2)):
        environment = {k: v for k, v in services[service]["environment"].items() if k.startswith("SCENESYNC_")}
        if "SCENESYNC_PLEX_TOKEN_FILE" in environment:
            (tmp_path / "plex-token").write_text("fake-token")
            environment["SCENESYNC_PLEX_TOKEN_FILE"] = str(tmp_path / "plex-token")
        environment = {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for name, value in environment.items()}
        with monkeypatch.context() as patch:
            assert len(settings_in(environment, patch, tmp_path)) == wanted
    assert services["stash"]["environment"]["SCENESYNC_AUTOSTART"] == "false"


def test_hook_and_daemon_of_the_compose_example_work_in_one_directory_as_one_user() -> None:
    stash, scenesync = COMPOSE["services"]["stash"], COMPOSE["services"]["scenesync"]
    assert stash["user"] == scenesync["user"] == "${PUID:-1000}:${PGID:-1000}"
    mounted = {
        name: dict(volume.split(":")[:2] for volume in service["volumes"] if volume.startswith("scenesync:"))
        for name, service in (("stash", stash), ("scenesync", scenesync))
    }
    [data_dir] = re.findall(r"SCENESYNC_DATA_DIR=(\S+)", " ".join(said("ENV")))
    inside = data_dir.removeprefix(mounted["scenesync"]["scenesync"])
    assert stash["environment"]["SCENESYNC_DATA_DIR"] == mounted["stash"]["scenesync"] + inside
    assert list(COMPOSE["volumes"]) == ["scenesync"]
    assert "scenesync" in stash["depends_on"]
    dockerfile = DEPLOY / scenesync["build"]["context"] / scenesync["build"]["dockerfile"]
    assert dockerfile.resolve() == DEPLOY / "Dockerfile"


# -- the systemd unit


def test_every_variable_of_the_unit_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "plex-token").write_text("fake-token")
    environment = dict(line.split("=", 1) for line in re.findall(r"^Environment=(.*)", UNIT, re.MULTILINE))
    environment = {name: value.replace("%d", str(tmp_path)) for name, value in environment.items()}
    assert settings_in(environment, monkeypatch, tmp_path).keys() == {"data_dir", "plex_token"}
    [folder] = re.findall(r"^StateDirectory=(.*)", UNIT, re.MULTILINE)
    assert environment["SCENESYNC_DATA_DIR"] == f"/var/lib/{folder}"


def test_the_unit_starts_a_command_that_there_is_and_does_not_restart_what_that_cannot_mend() -> None:
    [started] = re.findall(r"^ExecStart=(.*)", UNIT, re.MULTILINE)
    program, command = started.split()
    assert Path(program).name in PROJECT["scripts"]
    assert cli.get_command(None, command) is not None  # type: ignore[arg-type]
    assert "\nRestartPreventExitStatus=2\n" in UNIT  # wrong settings
    assert not re.search(r"^User=(root|0)?$", UNIT, re.MULTILINE)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit_and_finds_it_well_locked_up(tmp_path: Path) -> None:
    unit = tmp_path / "scenesync.service"
    unit.write_text(UNIT.replace("/opt/scenesync/bin/scenesync", sys.executable))
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout[-300:]
