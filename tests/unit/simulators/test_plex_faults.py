"""Every way to fail, as a client meets it."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import urllib3
from plex_over_http import World, world

from scenesync.simulators.http_server import Request
from scenesync.simulators.plex import faults
from scenesync.simulators.plex.model import PlexItem


@pytest.fixture
def there() -> Iterator[World]:
    with world() as running:
        yield running


@pytest.fixture
def film(there: World) -> PlexItem:
    return there.film(title="Beach Walk")


def rename(there: World, film: PlexItem, title: str) -> int:
    return there.edit(film, ("title.value", title))


def test_down_refuses_and_up_serves_again_with_everything_kept(there: World, film: PlexItem) -> None:
    there.plex.down()
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        rename(there, film, "Sea")
    there.plex.up()
    assert rename(there, film, "Sea") == 200


def test_going_down_loses_the_answer_of_an_edit_in_hand_but_not_the_edit(there: World, film: PlexItem) -> None:
    with ThreadPoolExecutor() as pool, there.plex.paused_on_write() as pause:
        waiting = pool.submit(rename, there, film, "Sea")
        assert pause.arrived.wait(5)
        there.plex.down()
        with pytest.raises(urllib3.exceptions.ProtocolError, match="reset"):
            waiting.result(5)
        assert film.title == "Beach Walk"
    there.plex.up()
    assert there.read(film)["title"] == "Sea"


def test_start_up_answers_503_and_json_even_to_identity(there: World) -> None:
    there.plex.starting_up()
    for path in ("/identity", "/library/sections", "/nowhere"):
        answer = there.send("GET", path)
        assert answer.status == 503
        assert json.loads(answer.data)["title"] == "Maintenance"
    there.plex.starting_up(form="still-starting")
    answer = there.send("GET", "/library/sections")
    assert answer.status == 400
    assert b"still starting up" in answer.data
    there.plex.starting_up(on=False)
    assert there.send("GET", "/identity").status == 200


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 502, 503, 504, 498, 520])
def test_any_status_can_be_had(there: World, film: PlexItem, status: int) -> None:
    there.plex.fail_next(1, faults.status(status))
    answer = there.send("GET", f"/library/metadata/{film.rating_key}")
    assert answer.status == status
    assert answer.headers["Content-Type"] == "text/html"
    assert "Retry-After" not in answer.headers
    assert there.read(film)["title"] == "Beach Walk"


def test_retry_after_comes_when_wanted(there: World) -> None:
    there.plex.fail_next(1, faults.status(429, retry_after_s=7))
    assert there.send("GET", "/").headers["Retry-After"] == "7"


def test_faults_pick_their_requests(there: World, film: PlexItem) -> None:
    def of_this_film(request: Request) -> bool:
        return request.path.endswith(film.rating_key)

    there.plex.fail_next(1, faults.status(500), only="edit", after=1)
    there.plex.fail_next(1, faults.status(502), only=of_this_film)
    there.plex.fail_next(2, faults.status(504), only="PUT", after=1)
    assert there.send("GET", "/identity").status == 200
    assert [rename(there, film, "Sea") for _ in range(5)] == [200, 500, 504, 504, 200]
    assert there.send("GET", f"/library/metadata/{film.rating_key}").status == 502


def test_a_reset_before_the_answer_changes_nothing(there: World, film: PlexItem) -> None:
    there.plex.fail_next(1, faults.reset(), only="edit")
    with pytest.raises(urllib3.exceptions.ProtocolError, match="reset"):
        rename(there, film, "Sea")
    assert film.title == "Beach Walk"


def test_an_answer_can_get_lost_after_the_edit_was_carried_out(there: World, film: PlexItem) -> None:
    there.plex.fail_next(1, faults.answer_lost(), only="edit")
    with pytest.raises(urllib3.exceptions.ProtocolError, match="reset"):
        rename(there, film, "Sea")
    assert film.title == "Sea"
    assert [record.status for record in there.plex.requests] == [0]


@pytest.mark.parametrize("fault", [faults.reset_in_body(), faults.truncated()])
def test_an_answer_can_break_off(there: World, film: PlexItem, fault: faults.Fault) -> None:
    there.plex.fail_next(2, fault)
    with pytest.raises((urllib3.exceptions.ProtocolError, urllib3.exceptions.IncompleteRead)):
        there.read(film)
    with pytest.raises((urllib3.exceptions.ProtocolError, urllib3.exceptions.IncompleteRead)):
        rename(there, film, "Sea")
    assert there.read(film)["title"] == "Sea"


def test_a_body_can_be_half_a_document_that_claims_to_be_whole(there: World, film: PlexItem) -> None:
    there.plex.fail_next(2, faults.broken_body())
    with pytest.raises(json.JSONDecodeError):
        there.read(film)
    with pytest.raises(ET.ParseError):
        there.xml("/library/sections")


def test_a_proxy_page_and_nothing_at_all_come_with_200(there: World, film: PlexItem) -> None:
    there.plex.fail_next(1, faults.html_page())
    answer = there.send("GET", f"/library/metadata/{film.rating_key}", Accept="application/json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    there.plex.fail_next(1, faults.empty())
    answer = there.send("GET", f"/library/metadata/{film.rating_key}")
    assert (answer.status, answer.data) == (200, b"")


def test_start_up_faults_for_single_requests(there: World) -> None:
    there.plex.fail_next(1, faults.maintenance())
    there.plex.fail_next(1, faults.still_starting())
    assert [there.send("GET", "/").status for _ in range(3)] == [503, 400, 200]


def test_silence_slowness_and_drips(there: World, film: PlexItem) -> None:
    there.plex.fail_next(1, faults.hang(0.05))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        there.read(film)
    for fault in (faults.slow(0.1), faults.trickle(10_000)):
        there.plex.fail_next(1, fault)
        began = time.monotonic()
        assert there.read(film)["title"] == "Beach Walk"
        assert time.monotonic() - began > 0.05


def test_random_faults_hit_a_share_and_repeat_with_their_seed(there: World) -> None:
    def statuses(seed: int) -> list[int]:
        there.plex.fail_at_random(0.5, faults.status(500), faults.status(503), only="identity", seed=seed)
        return [there.send("GET", "/identity").status for _ in range(40)]

    first = statuses(1)
    assert set(first) == {200, 500, 503}
    assert statuses(1) == first
    assert statuses(2) != first
    there.plex.heal()
    assert there.send("GET", "/identity").status == 200


def test_a_deaf_server_answers_200_and_changes_nothing(there: World, film: PlexItem) -> None:
    there.plex.deaf = True
    assert rename(there, film, "Sea") == 200
    path = f"/library/metadata/{film.rating_key}/posters"
    assert there.send("POST", path, body=b"picture").status == 200
    assert (film.title, len(film.posters), there.plex.field_writes) == ("Beach Walk", 1, [])
    there.plex.heal()
    assert rename(there, film, "Sea") == 200
    assert film.title == "Sea"


def test_single_fields_can_be_ignored(there: World, film: PlexItem) -> None:
    there.plex.ignored_fields = {"summary", "genre"}
    edits = (("summary.value", "x"), ("summary.locked", 1), ("genre[0].tag.tag", "Sea"), ("studio.value", "Pier"))
    assert there.edit(film, *edits) == 200
    assert (film.summary, film.genres, film.studio, film.locked) == ("", (), "Pier", {"studio"})
    assert [write.field for write in there.plex.field_writes] == ["studio"]


@pytest.mark.parametrize(("applied", "title"), [(True, "Sea"), (False, "Beach Walk")])
def test_a_busy_writer_answers_500_late_while_reads_are_fine(
    there: World, film: PlexItem, *, applied: bool, title: str
) -> None:
    there.plex.busy_writer(0.05, applied=applied)
    began = time.monotonic()
    assert rename(there, film, "Sea") == 500
    assert time.monotonic() - began >= 0.05
    assert there.read(film)["title"] == title
    there.plex.heal()
    assert rename(there, film, "Town") == 200


def parallel_edits(there: World, films: list[PlexItem]) -> tuple[float, list[int]]:
    began = time.monotonic()
    with ThreadPoolExecutor(len(films)) as pool:
        statuses = list(pool.map(lambda film: rename(there, film, "Sea"), films))
    return time.monotonic() - began, statuses


@pytest.mark.filterwarnings("ignore:Connection pool is full")
def test_writes_take_turns_unless_told_otherwise(there: World) -> None:
    films = [there.film(f"{number}.mp4") for number in range(4)]
    there.plex.write_latency_s = 0.15
    took, statuses = parallel_edits(there, films)
    assert took >= 0.6
    assert statuses == [200] * 4
    assert there.plex.peak_writes_in_flight > 1
    there.plex.behaviour = replace(there.plex.behaviour, writes_serialised=False)
    took, _ = parallel_edits(there, films)
    assert took < 0.6


def test_a_write_that_waits_too_long_for_its_turn_is_answered_with_500(there: World) -> None:
    films = [there.film(f"{number}.mp4") for number in range(3)]
    there.plex.behaviour = replace(there.plex.behaviour, write_lock_timeout_s=0.1)
    there.plex.write_latency_s = 0.6
    _, statuses = parallel_edits(there, films)
    assert sorted(statuses) == [200, 500, 500]
    assert sorted(film.title for film in films).count("Sea") == 1


def test_writes_can_be_held_while_reads_go_on(there: World, film: PlexItem) -> None:
    results: list[int] = []
    writer = threading.Thread(target=lambda: results.append(rename(there, film, "Sea")))
    with there.plex.paused_on_write() as pause:
        assert not pause.arrived.is_set()
        writer.start()
        assert pause.arrived.wait(5)
        assert there.read(film)["title"] == "Beach Walk"
        assert results == []
    writer.join(5)
    assert results == [200]
    assert film.title == "Sea"


def test_stopping_in_the_middle_of_a_held_write_drops_it(there: World, film: PlexItem) -> None:
    with ThreadPoolExecutor() as pool, there.plex.paused_on_write() as pause:
        held = pool.submit(rename, there, film, "Sea")
        assert pause.arrived.wait(5)
        there.plex.stop()
        with pytest.raises(urllib3.exceptions.ProtocolError):
            held.result(5)
    port = there.plex.port
    there.plex.start()
    assert there.plex.port == port
    assert film.title == "Beach Walk"
    assert rename(there, film, "Sea") == 200


def test_latency_delays_answers_without_blocking_others(there: World) -> None:
    there.plex.latency_s = 0.5
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = [done.status for done in pool.map(lambda _n: there.send("GET", "/identity"), range(8))]
    assert statuses == [200] * 8
    assert 0.5 <= time.monotonic() - began < 3.5  # one after another they would need 4 s


def test_a_long_target_may_end_the_connection_instead(there: World, film: PlexItem) -> None:
    there.plex.behaviour = replace(there.plex.behaviour, max_target_bytes=300, too_long="close")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        there.edit(film, ("summary.value", "x" * 400))
    assert rename(there, film, "Sea") == 200


def test_another_server_may_stand_behind_the_same_address(there: World) -> None:
    there.plex.machine_identifier = "another"
    assert there.json("/identity")["machineIdentifier"] == "another"
