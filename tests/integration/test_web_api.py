"""The API over real HTTP, on real stores, before both simulated servers: it can do what the commands can."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import eventually
from web_world import KEY, WebWorld

from scenesync.app.dashboard import standing
from scenesync.domain.job import scene_job
from scenesync.queue.dead_letters import DeadLetter
from scenesync.web.patience import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    with WebWorld(tmp_path_factory.mktemp("api") / "data") as world:
        yield world


@pytest.fixture
def scene(world: WebWorld, request: pytest.FixtureRequest) -> int:
    """A scene that was synced a moment ago."""
    scene_id, _ = world.pair(request.node.name[:60], title=f"{request.node.name[:60]} at noon")
    world.synced(scene_id)
    return scene_id


def letter(scene_id: int, error: str = "PlexPermanentError") -> DeadLetter:
    return DeadLetter(scene_job(scene_id, time.time()), error, f"invented for scene {scene_id}", failed_at=time.time())


class Listener:
    """Listens to a stream in a thread of its own, until it has heard what it waits for."""

    def __init__(self, world: WebWorld, query: str, until: Callable[[str, Mapping[str, Any]], bool]) -> None:
        url = f"{world.url}/api/v1/events?{query}"
        self._answer = world.http.request("GET", url, headers={"X-Api-Key": KEY}, preload_content=False, timeout=15)
        assert (self._answer.status, self._answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        self._until = until
        self.heard: list[tuple[str, Mapping[str, Any]]] = []
        self._text = self._answer.read1(65_536).decode()  # it listens from now on
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def wait(self) -> list[tuple[str, Mapping[str, Any]]]:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.heard

    def _listen(self) -> None:
        try:
            while not any(self._until(kind, data) for kind, data in self.heard):
                *whole, self._text = (self._text + self._answer.read1(65_536).decode()).split("\n\n")
                for block in whole:
                    lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
                    if "event" in lines:
                        self.heard.append((lines["event"], json.loads(lines["data"])))
        finally:
            self._answer.close()


def test_status_says_what_the_command_says(world: WebWorld, scene: int) -> None:
    status = world.get("/status")
    assert (status["pending"], status["in_progress"], status["circuit"]) == (0, 0, "closed")
    assert (status["plex"], status["stash"]) == ("up", "up")
    assert status["completed_total"] >= 1
    assert status["last_hour"]["synced"] >= 1
    assert status["sentence"]
    assert world.get("/widget")["plex"] == "up"
    assert [made["scene_id"] for made in world.get("/attempts", limit=1)] == [scene]


def test_a_scene_is_explained_from_both_sides(world: WebWorld, scene: int) -> None:
    found = world.get(f"/scenes/{scene}")
    assert (found["verdict"], found["rule"], found["is_pinned"]) == ("is in sync.", "path", False)
    assert found["stash_url"].endswith(f"/scenes/{scene}")
    [item] = found["compared"]
    title = next(field for field in item["fields"] if field["field"] == "title")
    assert title["shown"] == title["wanted"] == found["title"]
    assert title["locked"] is True
    assert item["rating_key"] in item["plex_url"]
    assert world.ask("GET", "/api/v1/scenes/999999").status == 404


def test_an_edit_is_in_the_journal_and_is_taken_back_by_a_run_of_its_own(world: WebWorld, scene: int) -> None:
    edits = world.get("/journal", scene_id=scene)["items"]
    assert {edit["field"] for edit in edits} >= {"title", "titleSort"}
    first = world.get("/journal", scene_id=scene, limit=1)
    rest = world.get("/journal", scene_id=scene, limit=500, cursor=first["next_cursor"])
    assert [*first["items"], *rest["items"]] == edits

    task = world.finished(world.post("/undo", {"scene_ids": [scene]}, 202))
    assert (task["state"], task["result"]["totals"]["put_back"]) == ("done", 1)
    assert task["result"]["run"] not in {edit["run"] for edit in edits}
    assert [hold["scene_id"] for hold in world.get("/holds") if hold["scene_id"] == scene] == [scene]
    assert world.post("/holds/release", {"scene_ids": [scene]}) == {"count": 1}
    assert world.ask("POST", "/api/v1/undo", document={"run": "no-such-run"}).status == 404


def test_a_plan_is_made_read_page_by_page_and_carried_out(world: WebWorld) -> None:
    scenes = [world.pair(f"plan {number}", title=f"Pier {number}")[0] for number in range(3)]
    task = world.finished(world.post("/plans", {"scene_ids": scenes}, 202))
    assert task["state"] == "done", task
    plan = world.get(f"/plans/{task['id']}")
    assert (plan["totals"]["change"], plan["selectors"]["scene_ids"]) == (3, scenes)
    assert plan["id"] in {each["id"] for each in world.get("/plans")}

    pages, cursor = [], None
    while True:
        page = world.get(f"/plans/{plan['id']}/scenes", limit=2, **({"cursor": cursor} if cursor else {}))
        pages.append(page["items"])
        if (cursor := page["next_cursor"]) is None:
            break
    assert [[each["scene_id"] for each in page] for page in pages] == [scenes[:2], scenes[2:]]
    assert world.get(f"/plans/{plan['id']}/scenes", verdict="ambiguous")["items"] == []
    wrong = world.ask("GET", f"/api/v1/plans/{plan['id']}/scenes?cursor=3")
    assert (wrong.status, wrong.json()["type"]) == (422, "urn:scenesync:problem:invalid-cursor")

    assert world.get(f"/plans/{plan['id']}")["applied_at"] is None
    applied = world.finished(world.post(f"/plans/{plan['id']}/apply", None, 202))
    assert applied["state"] == "done", applied
    assert world.get(f"/plans/{plan['id']}")["applied_at"] == pytest.approx(time.time(), abs=60)
    assert {world.get(f"/scenes/{each}")["verdict"] for each in scenes} == {"is in sync."}
    again = world.finished(world.post(f"/plans/{plan['id']}/apply", None, 202))
    assert again["state"] == "failed"
    assert "3 of 3 scenes have moved on" in again["error"]


def test_dead_letters_are_grouped_replayed_and_discarded(world: WebWorld, scene: int) -> None:
    letters = world.installation.dead_letters
    ids = [letters.add(letter(scene, "InventedError")) for _ in range(3)]
    other = letters.add(letter(scene, "OtherError"))
    groups = {group["error_type"]: group for group in world.get("/dead-letters/groups")}
    assert groups["InventedError"]["count"] == 3
    assert groups["InventedError"]["example"] == f"invented for scene {scene}"

    first = world.get("/dead-letters", error="InventedError", limit=2)
    rest = world.get("/dead-letters", error="InventedError", limit=2, cursor=first["next_cursor"])
    assert [each["id"] for each in [*first["items"], *rest["items"]]] == ids[::-1]
    assert world.get(f"/dead-letters/{other}")["subject"] == f"scene {scene}"
    assert world.post("/dead-letters/discard", {"ids": [other]}) == {"count": 1}
    assert world.ask("GET", f"/api/v1/dead-letters/{other}").status == 404
    assert world.post("/dead-letters/replay", {"error": "InventedError"}) == {"count": 3}
    assert world.post("/dead-letters/purge", {"older_than": time.time()}) == {"count": 0}
    eventually(lambda: world.get("/status")["pending"] == 0)


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/dead-letters/discard", {}),
        ("/dead-letters/discard", {"ids": [1], "all": True}),
        ("/dead-letters/replay", {"ids": [2**63]}),
        ("/queue/clear", {"all": True, "scene_id": 1}),
        ("/queue/clear", {"older_than": 1e400}),
        ("/sync", {"since": "yesterday"}),
        ("/sync", {"scene_ids": [1], "all": True}),
        ("/sync", {"all": True, "nonsense": 1}),
        ("/undo", {"dry_run": True}),
        ("/plans", {"scene_ids": [0]}),
    ],
)
def test_what_means_nothing_is_a_problem_that_says_why(world: WebWorld, path: str, document: object) -> None:
    answer = world.ask("POST", f"/api/v1{path}", document=document)
    problem = answer.json()
    assert (answer.status, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert problem["status"] == 422
    assert problem["detail"] or problem["errors"]


def test_jobs_that_wait_are_listed_and_dropped(world: WebWorld) -> None:
    scene_id, _, _ = world.scene("nowhere in plex", title="Lighthouse")
    world.synced(scene_id)  # nothing is due any more: it waits to be tried again
    [job] = world.get("/queue", scene_id=scene_id)["items"]
    assert (job["last_error_type"], job["retry_count"], job["lane"]) == ("PlexNotFound", 1, "person")
    assert job["due_at"] > time.time()
    assert [each["scene_id"] for each in world.get("/queue", error="PlexNotFound", limit=1)["items"]] == [scene_id]
    assert world.get("/queue", error="NoSuchError")["items"] == []
    assert world.post("/queue/clear", {"scene_id": scene_id}) == {"count": 1}
    assert world.get("/queue", scene_id=scene_id)["items"] == []


def test_a_pin_is_put_and_taken_off(world: WebWorld, scene: int) -> None:
    item = world.item("Films/elsewhere entirely.mp4", 77)
    pinned = world.ask("PUT", f"/api/v1/scenes/{scene}/pin", document={"rating_key": str(item.rating_key)})
    assert pinned.status == 200, pinned.data
    assert pinned.json()["item_files"] == ["/mnt/media/Films/elsewhere entirely.mp4"]
    eventually(lambda: [world.get("/status")[key] for key in ("pending", "in_progress")] == [0, 0])
    assert world.ask("DELETE", f"/api/v1/scenes/{scene}/pin").json() == {"count": 1}
    assert world.ask("DELETE", f"/api/v1/scenes/{scene}/pin").status == 404
    refused = world.ask("PUT", f"/api/v1/scenes/{scene}/pin", document={"rating_key": "424242"})
    assert (refused.status, refused.json()["type"]) == (409, "urn:scenesync:problem:refused")


def test_the_doctor_and_the_comparison_are_tasks_whose_last_answer_is_kept(world: WebWorld, scene: int) -> None:
    for kind in ("doctor", "coverage", "backup"):
        task = world.finished(world.post("/tasks", {"kind": kind}, 202))
        assert task["state"] == "done", task
    checks = {check["name"]: check["verdict"] for check in world.get("/checks")["checks"]}
    assert checks["plex token"] == "ok"
    coverage = world.get("/coverage")
    assert coverage["scenes"] >= 1
    assert {"class", "count", "what_to_do"} <= coverage["classes"][0].keys()
    assert world.ask("POST", "/api/v1/tasks", document={"kind": "nothing"}).status == 404
    assert world.get(f"/scenes/{scene}")["scene_id"] == scene


def test_a_task_runs_once_at_a_time_tells_how_far_it_is_and_can_be_cancelled(world: WebWorld) -> None:
    scenes = [world.pair(f"slow {number}", title=f"Quay {number}")[0] for number in range(2)]
    with world.plex.paused_on_write() as pause:
        task = world.post("/sync", {"scene_ids": scenes}, 202)
        assert pause.arrived.wait(15)
        eventually(lambda: world.get(f"/tasks/{task['id']}")["progress"]["total"] == 2)
        busy = world.ask("POST", "/api/v1/sync", document={"scene_ids": scenes})
        assert (busy.status, busy.json()["type"]) == (409, "urn:scenesync:problem:task-runs")
        world.post(f"/tasks/{task['id']}/cancel")
        assert world.finished(task)["state"] == "cancelled"
    ended = world.ask("POST", f"/api/v1/tasks/{task['id']}/cancel")
    assert (ended.status, ended.json()["type"]) == (409, "urn:scenesync:problem:task-ended")
    eventually(lambda: world.get("/status")["in_progress"] == 0)
    assert {world.get(f"/scenes/{each}")["verdict"] for each in scenes} == {"is in sync."}


def test_routines_say_when_they_ran_and_begin_when_asked(world: WebWorld) -> None:
    names = [routine["name"] for routine in world.get("/routines")]
    assert names == ["poll", "housekeeping", "backup", "reconciliation"]
    comparison = world.get("/routines")[-1]
    assert comparison["every_s"] == 24 * 3600
    assert comparison["next_at"] is not None
    world.post("/routines/housekeeping/run", status=204)
    eventually(lambda: world.get("/routines")[1]["last_ended_at"] is not None)
    assert world.get("/routines")[1]["last_error"] is None
    assert world.get("/routines")[2]["every_s"] == 7 * 24 * 3600
    assert world.ask("POST", "/api/v1/routines/nothing/run").status == 404


def test_settings_say_where_they_come_from_and_keep_their_secrets(world: WebWorld) -> None:
    answer = world.ask("GET", "/api/v1/settings")
    settings = {setting["key"]: setting for setting in answer.json()}
    assert settings["plex_token"]["value"] == "***"
    assert settings["plex_token"]["is_secret"] is True
    assert settings["stash_url"]["value"] == world.stash.url
    assert settings["workers"]["allowed"] == "a whole number from 1 to 64"
    assert KEY.encode() not in answer.data
    assert b"fake-plex-token" not in answer.data
    assert world.post("/connections/plex/test")["ok"] is True
    assert "scenes" in world.post("/connections/stash/test")["finding"]


def test_plex_down_is_told_and_is_no_reason_not_to_be_ready(world: WebWorld, scene: int) -> None:
    assert world.ask("GET", "/health/ready").status == 200
    world.plex.stop()
    try:
        assert world.post("/connections/plex/test")["ok"] is False
        world.installation.queue.put_job(scene_job(scene, time.time()))
        eventually(lambda: world.get("/status")["plex"] == "down")
        assert world.ask("GET", "/health/ready", key=None).status == 200
        assert "Plex cannot be reached: 1 change waits" in world.get("/status")["sentence"]
        assert world.get("/outages")[0]["ended_at"] is None
        assert 'scenesync_up{service="plex"} 0' in world.ask("GET", "/metrics").data.decode()
        assert world.get(f"/scenes/{scene}")["verdict"].startswith("cannot be judged")
    finally:
        world.plex.start()
    eventually(lambda: world.get("/status")["plex"] == "up" and world.get("/status")["pending"] == 0)
    assert world.get("/outages")[0]["duration_s"] > 0


def test_metrics_count_what_was_done(world: WebWorld, scene: int) -> None:
    assert scene
    text = world.ask("GET", "/metrics").data.decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert int(values['scenesync_attempts_total{outcome="synced"}']) >= 1
    assert int(values['scenesync_matches_total{rule="path"}']) >= 1
    assert int(values['scenesync_plex_request_seconds_count{kind="edit",status="200"}']) >= 1
    assert any(key.startswith('scenesync_stash_request_seconds_count{kind="Scenes') for key in values)
    assert int(values['scenesync_index_size{what="items"}']) >= 1
    assert values["scenesync_circuit_state"] == "0"
    kinds = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))


def test_what_happens_is_told_as_it_happens(world: WebWorld) -> None:
    scene_id, _ = world.pair("live", title="Ferry at noon")
    listener = Listener(
        world, "kinds=attempt&kinds=task", lambda kind, data: kind == "task" and data["state"] == "done"
    )
    world.synced(scene_id)
    heard = listener.wait()
    assert {kind for kind, _ in heard} == {"attempt", "task"}
    [attempt] = [data for kind, data in heard if kind == "attempt"]
    assert (attempt["scene_id"], attempt["outcome"]) == (scene_id, "synced")


def test_the_state_comes_first_and_again_when_it_has_changed(world: WebWorld) -> None:
    listener = Listener(world, "kinds=status", lambda _, data: data["held"] == 1)
    scene_id, _ = world.pair("held", title="Ferry at night")
    world.synced(scene_id)
    world.finished(world.post("/undo", {"scene_ids": [scene_id]}, 202))
    first, *_, last = listener.wait()
    assert (first[0], first[1]["held"], last[1]["held"]) == ("status", 0, 1)


def test_who_comes_back_hears_what_was_missed(world: WebWorld) -> None:
    before = world.dashboard.events.latest
    for number in range(3):
        world.dashboard.events.publish("task", partial(dict, number=number))
    url = f"{world.url}/api/v1/events?kinds=task"
    headers = {"X-Api-Key": KEY, "Last-Event-ID": str(before + 1)}
    answer = world.http.request("GET", url, headers=headers, preload_content=False)
    text = ""
    while "number" not in text:
        text += answer.read1(65_536).decode()
    answer.close()
    assert [line for line in text.splitlines() if line.startswith("id: ")] == [f"id: {before + 2}", f"id: {before + 3}"]


def test_the_log_is_kept_by_scene_without_secrets(world: WebWorld, scene: int) -> None:
    log = logging.getLogger("scenesync.invented")
    log.warning("looked at scene=%d with %s", scene, KEY)
    log.error("something else")
    [entry] = world.get("/log", scene_id=scene, level="warning")["items"]
    assert (entry["message"], entry["level"]) == (f"looked at scene={scene} with ***", "warning")
    newest = world.get("/log", level="error", limit=1)
    assert newest["items"][0]["message"] == "something else"
    assert KEY.encode() not in world.ask("GET", "/api/v1/log").data


def test_scenes_are_listed_with_where_they_stand(world: WebWorld) -> None:
    synced = [world.pair(f"listed {number}", title=f"Aqueduct {number}")[0] for number in range(3)]
    lost, _, _ = world.scene("listed nowhere", title="Aqueduct unseen")
    world.synced(*synced, lost)
    found = world.get("/scenes", search="aqueduct")["items"]
    assert [(each["scene_id"], each["state"], each["title"]) for each in found] == [
        *((scene_id, "in_sync", f"Aqueduct {number}") for number, scene_id in enumerate(synced)),
        (lost, "waiting", "Aqueduct unseen"),
    ]
    [waiting] = world.get("/scenes", state="waiting", search="AQUEDUCT")["items"]
    assert (waiting["scene_id"], waiting["detail"]) == (lost, "PlexNotFound")
    first = world.get("/scenes", state="in_sync", search="aqueduct", limit=2)
    rest = world.get("/scenes", state="in_sync", search="aqueduct", limit=2, cursor=first["next_cursor"])
    assert [each["scene_id"] for each in [*first["items"], *rest["items"]]] == synced

    world.post("/queue/clear", {"scene_id": lost})
    assert [each["scene_id"] for each in world.get("/scenes", state="unmatched")["items"]] == [lost]
    counts = world.get("/scenes/counts")
    assert (counts["states"]["unmatched"], counts["states"]["waiting"]) == (1, 0)
    assert counts["states"]["in_sync"] >= 3
    assert world.get("/attempts", limit=50)[0]["title"].startswith("Aqueduct")


def test_a_comparison_finds_gaps_tells_where_scenes_stand_and_mends_them(world: WebWorld) -> None:
    scene_id, item = world.pair("reconciled", title="Viaduct at noon", details="Seen from below.")
    dry = world.finished(world.post("/reconcile", {"scope": "all", "dry_run": True}, 202))
    assert dry["state"] == "done", dry
    assert sum(kind["count"] for kind in dry["result"]["gaps"].values()) >= 1
    assert item.title == "reconciled"
    done = world.finished(world.post("/reconcile", {"scope": "all"}, 202))
    assert done["state"] == "done", done
    assert item.title == "Viaduct at noon"
    assert world.get("/status")["reconciliation"]["scope"] == "all"
    [found] = world.get("/scenes", search="viaduct")["items"]
    assert (found["scene_id"], found["state"]) == (scene_id, "in_sync")
    world.stash.save(scene_id, title="Viaduct at dusk")
    plan = world.finished(world.post("/plans", {"scene_ids": [scene_id]}, 202))
    assert plan["result"]["totals"]["change"] == 1
    [found] = world.get("/scenes", state="differs", search="viaduct")["items"]
    assert (found["title"], found["detail"]) == ("Viaduct at dusk", "title, titleSort")


def test_a_listener_that_takes_nothing_costs_nobody_anything_and_is_dropped(
    world: WebWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "taken_within_s", 0.5)
    scene_id, _ = world.pair("unheard", title="Ferry in the fog")
    with socket.create_connection(world.address, timeout=15) as deaf:
        host, port = world.address
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET /api/v1/events HTTP/1.1\r\nHost: {host}:{port}\r\nX-Api-Key: {KEY}\r\n\r\n"
        deaf.sendall(head.encode())
        text = "x" * 50_000
        began = time.monotonic()
        for _ in range(2_000):
            world.dashboard.events.publish("log", lambda: {"message": text})
        assert time.monotonic() - began < 1  # nobody waited for it
        world.synced(scene_id)

        def keeps_talking() -> bool:
            world.dashboard.events.publish("log", lambda: {"message": text})
            try:
                deaf.sendall(b"x")
            except OSError:
                return False
            return True

        eventually(lambda: not keeps_talking())
    eventually(lambda: world.get("/status")["pending"] == 0)


def test_pages_of_others_are_shared_while_they_are_fresh(world: WebWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FRESH_S", 60.0)
    first = world.ask("GET", "/parts/overview").data
    assert world.ask("GET", "/parts/overview").data == first
