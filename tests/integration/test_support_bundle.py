"""The support bundle helps to help and gives nothing away: what is planted everywhere is found nowhere."""

from __future__ import annotations

import io
import json
import logging
import shutil
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from command_line import run_command
from web_world import KEY, WebWorld

from scenesync.app.context import secrets_of
from scenesync.app.data_directory import API_KEY_FILE
from scenesync.app.opening import open_queue, open_state
from scenesync.app.settings import load_settings
from scenesync.app.support.bundle import support_bundle
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.fields import Field
from scenesync.domain.job import scene_job
from scenesync.domain.journal import JournalEntry
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.store.attempts import AttemptStore
from scenesync.store.journal import JournalStore
from scenesync.store.outages import OutageStore
from scenesync.store.scene_states import SceneStateStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scenesync.app.settings import LoadedSettings

pytestmark = pytest.mark.integration

PLEX_TOKEN = "fakePlexToken+/=9876"
STASH_KEY = "eyJhbGciOiJub25lIn0.eyJmYWtlIjoia2V5In0.c2lnbmF0dXJl"
MADE_KEY = "fake-made-http-key-0123456789abcdef"
KNOWN = (PLEX_TOKEN, STASH_KEY, MADE_KEY)
"""Secrets that the settings hold."""
FOREIGN = (
    "zQ9foreignPlexToken1",
    "foreign-user-info-pw",
    "foreign-cookie-value",
    "foreign-bearer-token-x",
    "foreign.query.key.42",
    "eyJmb3JlaWduIjoiand0In0.eyJub3QiOiJvdXJzIn0.Zm9yZWlnbg",
    "foreign-json-password",
)
"""Secrets that nobody told SceneSync about, each in the form in which such a thing is usually written."""
WRITTEN = (
    f"GET http://nas.example:32400/library?X-Plex-Token={FOREIGN[0]}&type=1",
    f"cannot reach https://someone:{FOREIGN[1]}@nas.example/graphql",
    f"headers: Cookie: session={FOREIGN[2]}; theme=dark",
    f"Authorization: Bearer {FOREIGN[3]}",
    f"/graphql?apikey={FOREIGN[4]}#top",
    f"ApiKey was {FOREIGN[5]} yesterday",
    json.dumps({"user": "x", "password": FOREIGN[6]}),
    f"known {PLEX_TOKEN} and {quote(PLEX_TOKEN, safe='')} and {STASH_KEY}",
)
TITLE, OTHER_TITLE = "Harbour at dawn", "Évening on the quay"
PERFORMER, STUDIO = "Marta Lindqvist", "Lighthouse Pictures"
FOLDER, FILE = "Summer trips", "harbour cut 2"
NAMES = (
    TITLE,
    OTHER_TITLE,
    PERFORMER,
    STUDIO,
    FOLDER,
    FILE,
    "nas.example",
    "livingroom.example",
    "192.168.7.31",
    "Private library",
    "Confidential tag",
)
SETTINGS = f"""\
stash_url = "http://192.168.7.31:9999"
stash_api_key = "{STASH_KEY}"
plex_url = "http://nas.example:32400"
plex_token_file = "token"
http_host = "livingroom.example"
plex_libraries = ["Private library"]
path_map = ["/data/{FOLDER} => /media/{FOLDER}"]
only_tags = ["Confidential tag"]
tag_rename = ["Confidential tag => Plain"]
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose every corner holds secrets and names."""
    data_dir = tmp_path_factory.mktemp("planted") / "data"
    data_dir.mkdir()
    (data_dir / "scenesync.toml").write_text(SETTINGS, encoding="utf-8")
    (data_dir / "token").write_text(PLEX_TOKEN + "\n", encoding="utf-8")
    (data_dir / API_KEY_FILE).write_text(MADE_KEY + "\n", encoding="utf-8")
    loaded = load_settings(overrides={"data_dir": str(data_dir)})
    everything = "\n".join(WRITTEN)
    path = f"/data/{FOLDER}/{FILE}.mp4"
    text = f"{everything}\nno item for {path} of {TITLE} with {PERFORMER}"
    with open_queue(loaded.settings) as queue:
        for number, written in enumerate(WRITTEN):
            job = scene_job(10 + number, now=1000.0, data={"path": path, "title": f"{TITLE} {written}"})
            queue.put_job(job)
            DeadLetterStore(queue).add(
                DeadLetter(
                    job=job,
                    error_type="PlexBusy",
                    message=f"{written} about '{OTHER_TITLE}'",
                    traceback=f'File "/home/marta/x.py", line 3\nRuntimeError: {text}',
                    attempts=3,
                    failed_at=1000.0,
                    advice=text,
                    details={"candidates": [TITLE, path], "url": written},
                )
            )
    with open_state(loaded.settings) as database:
        made = [
            Attempt(
                10 + number,
                Outcome.DEAD,
                1000.0,
                1.0,
                "PlexBusy",
                f"{written} {path}",
                title=TITLE,
                path=path,
                server_id="s",
            )
            for number, written in enumerate(WRITTEN)
        ]
        AttemptStore(database).add_all(made)
        SceneStateStore(database).note_attempts(made)
        OutageStore(database).begin("plex", text, at=1000.0, jobs_waiting=1)
        JournalStore(database, "s").append(
            [
                JournalEntry(1000.0, 10, "77", Field.TITLE, OTHER_TITLE, f"{TITLE} {WRITTEN[0]}", "sync", file=path),
                JournalEntry(1000.0, 10, "77", Field.ACTORS, (), (PERFORMER,), "sync", file=path),
                JournalEntry(1000.0, 10, "77", Field.STUDIO, "", STUDIO, "sync", file=path),
            ]
        )
    return data_dir


@pytest.fixture
def loaded(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedSettings:
    """The settings of a copy of it."""
    data_dir = tmp_path / "data"
    shutil.copytree(planted, data_dir)
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(data_dir))
    monkeypatch.setenv("SCENESYNC_PLEX_TOKNE", FOREIGN[0])  # misspelt: a warning
    return load_settings()


def members(bundle: bytes) -> Mapping[str, str]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}


def bundle_of(loaded: LoadedSettings, *, with_names: bool = False) -> Mapping[str, str]:
    log = [
        {"level": "error", "message": f"{written} {TITLE}", "traceback": f"{written} {STUDIO}"} for written in WRITTEN
    ]
    checks = [{"name": "plex", "finding": written, "cure": f"look at {TITLE}"} for written in WRITTEN]
    return members(support_bundle(loaded, with_names=with_names, checks=lambda: checks, lines=log))


def found(texts: Mapping[str, str], words: tuple[str, ...]) -> list[tuple[str, str]]:
    forms = {form: word for word in words for form in (word, quote(word, safe=""), json.dumps(word)[1:-1])}
    return [(name, word) for name, text in texts.items() for form, word in forms.items() if form in text]


@pytest.mark.parametrize("with_names", [False, True])
def test_no_secret_is_in_any_member(loaded: LoadedSettings, *, with_names: bool) -> None:
    assert sorted(secrets_of(loaded.settings)), "the secrets were read"
    texts = bundle_of(loaded, with_names=with_names)
    assert found(texts, (*KNOWN, *FOREIGN)) == []
    assert all("left out" not in text for name, text in texts.items() if name != "README.txt"), "cleaned, not dropped"


def test_names_have_pseudonyms_the_same_one_each_time(loaded: LoadedSettings) -> None:
    texts = bundle_of(loaded)
    assert found(texts, NAMES) == []
    assert found(texts, ("marta",)) == [], "nor the user's own"
    letters = json.loads(texts["dead_letters.json"])
    edits = json.loads(texts["edits.json"])
    (path,) = {each["file"] for each in edits}
    assert path == letters[0]["job"]["data"]["path"]
    assert path.endswith(".mp4")
    assert path in json.loads(texts["attempts.json"])[0]["message"], "also in the middle of a text"
    rule = json.loads(texts["settings.json"])["path_map"]["value"][0]
    stash_side, plex_side = rule.split(" => ")
    assert stash_side.rpartition("/")[2] == plex_side.rpartition("/")[2] == path.split("/")[2]


def test_with_names_they_stay(loaded: LoadedSettings) -> None:
    texts = bundle_of(loaded, with_names=True)
    kept = {word for _, word in found(texts, NAMES)}
    assert kept == set(NAMES)


def test_what_helps_is_in_it(loaded: LoadedSettings) -> None:
    texts = bundle_of(loaded)
    document = {name: json.loads(text) for name, text in texts.items() if name.endswith(".json")}
    assert {"scenesync", "python", "sqlite", "platform", "packages"} <= document["versions.json"].keys()
    assert document["versions.json"]["packages"]["sqlalchemy"]
    settings = document["settings.json"]
    assert settings["plex_token"]["value"] == "***"
    assert settings["http_api_key"]["value"] == "(not set)"
    assert settings["workers"] == {"value": 4, "origin": "default"}
    assert settings["plex_url"]["value"].endswith(":32400")
    assert settings["data_dir"]["origin"] == "environment SCENESYNC_DATA_DIR"
    assert document["state_store.json"]["schema_version"] > 0
    assert document["state_store.json"]["quick_check"] == "ok"
    assert document["state_store.json"]["rows"]["journal"] == 3
    assert document["queue.json"]["rows"]["dead_letters"] == len(WRITTEN)
    assert document["status.json"]["pending"] == len(WRITTEN)
    assert document["health.json"]["healthy"] is False
    assert len(document["dead_letters.json"]) == len(WRITTEN)
    assert document["dead_letters.json"][0]["error_type"] == "PlexBusy"
    assert {edit["field"] for edit in document["edits.json"]} == {"title", "actor", "studio"}
    assert any(file["name"] == "scenesync.db" for file in document["files.json"])
    assert len(document["log.json"]) == len(WRITTEN)
    assert "look through it" in texts["README.txt"]


def test_what_is_broken_does_not_keep_the_rest_out(loaded: LoadedSettings) -> None:
    (loaded.settings.data_dir / "scenesync.db").write_bytes(b"not a database" * 999)

    def checks() -> object:
        raise RuntimeError(f"doctor fell over X-Plex-Token={FOREIGN[0]}")

    texts = members(support_bundle(loaded, with_names=False, checks=checks))
    assert "RuntimeError" in json.loads(texts["doctor.json"])["error"]
    assert "error" in json.loads(texts["attempts.json"])
    assert len(json.loads(texts["dead_letters.json"])) == len(WRITTEN)
    assert found(texts, (*KNOWN, *FOREIGN)) == []


@pytest.mark.usefixtures("loaded")
def test_the_command_writes_a_file_for_its_owner_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "bundle.zip"
    ran = run_command(capsys, "support-bundle", "--to", str(target), "--offline", "--json")
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["file"] == str(target)
    assert target.stat().st_mode & 0o777 == 0o600
    texts = members(target.read_bytes())
    assert json.loads(texts["doctor.json"]) == []
    assert found(texts, (*KNOWN, *FOREIGN)) == []
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob(".bundle.zip.*")), "no draft is left"


def test_the_dashboard_gives_it_to_whoever_has_the_key(tmp_path: Path) -> None:
    with WebWorld(tmp_path / "data") as world:
        logging.getLogger("scenesync.sample").error("X-Plex-Token=%s", FOREIGN[0])
        assert world.ask("GET", "/api/v1/support-bundle", key=None).status == 401
        answer = world.ask("GET", "/api/v1/support-bundle")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="scenesync-support-')
        texts = members(answer.data)
        document: Any = json.loads(texts["log.json"])
        assert any("X-Plex-Token=***" in line["message"] for line in document)
        assert found(texts, (KEY, "fake-plex-token", FOREIGN[0])) == []
        browser = world.log_in()
        assert browser.open("/api/v1/support-bundle").status == 200
        assert "/api/v1/support-bundle" in browser.open("/log").data.decode()
