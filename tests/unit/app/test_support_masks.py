"""What is taken out of texts, form by form, and what has to stay, or nobody could help."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote_plus

import pytest

from scenesync.app.support.bundle import private_keys
from scenesync.app.support.name_mask import NameMask, occurring
from scenesync.app.support.secret_mask import SecretMask

SECRET = "fake+secret/ä=1"


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote_plus(SECRET),
        json.dumps(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_known_secret_is_found_however_it_is_written(written: str) -> None:
    mask = SecretMask([SECRET])
    assert mask.knows_any_in(written.encode())
    assert not mask.knows_any_in(mask.clean(f"before {written} after").encode())
    assert mask.clean(f"before {written} after").startswith("before ")


def test_of_an_address_each_part_that_lets_in_is_a_secret() -> None:
    mask = SecretMask(
        ["https://me:fake-pass@hooks.example/services/T0FAKE0/B0FAKE0?key=fake-query ntfy://fake-topic-x"]
    )
    for part in ("fake-pass", "T0FAKE0", "B0FAKE0", "fake-query", "fake-topic-x"):
        assert part not in mask.clean(f"it said {part}.")
    assert mask.clean("hooks.example is down") == "hooks.example is down"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("GET /x?X-Plex-Token=abc123&type=1", "GET /x?X-Plex-Token=***&type=1"),
        ("GET /x?a=1&token=abc%2B123", "GET /x?a=1&token=***"),
        ("X-Plex-Token: abc123", "X-Plex-Token: ***"),
        ("{'X-Api-Key': 'a b c'}", "{'X-Api-Key': ***}"),
        ('{"password": "a b \\u00e4"}', '{"password": ***}'),
        ("Set-Cookie: s=1; Path=/", "Set-Cookie: ***"),
        ("http://a:b@c@host.example/x", "http://***@host.example/x"),
        ("Bearer abcdef123", "Bearer ***"),
        ("key eyJhbGci.eyJmYWtl.c2ln ends", "key *** ends"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, cleaned: str) -> None:
    assert SecretMask([]).clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "synced scene=12 items=77 rule=path fields=title,summary",
        "Plex answered 503 to GET /library/metadata/77",
        "the token was refused",
        "2 of 3 retries used, next in 12.5 s",
    ],
)
def test_what_is_no_secret_and_no_name_stays(text: str) -> None:
    assert SecretMask(["fake-token"]).clean(text) == text
    assert NameMask().clean(text).replace("<folder 1>/<folder 2>/<folder 3>", "library/metadata/77") == text


def test_the_same_name_has_the_same_pseudonym_in_texts_and_paths() -> None:
    mask = NameMask()
    mask.know("title", ["Harbour at dawn"])
    mask.know("file", ["harbour cut"])
    mask.know("folder", ["Summer trips"])
    whole = mask.path("/data/Summer trips/harbour cut.mp4")
    assert whole == "/<folder 1>/<folder 2>/<file 1>.mp4"
    assert mask.clean("no file /data/Summer trips/harbour cut.mp4 there") == f"no file {whole} there"
    assert mask.clean("folder /data/Summer trips is missing") == "folder /<folder 1>/<folder 2> is missing"
    assert mask.clean("Harbour at dawn and Harbour at dawn") == "<title 1> and <title 1>"
    assert mask.clean("harbour cut.mp4") == "<file 1>.mp4"


def test_windows_paths_hosts_and_addresses_have_pseudonyms_too() -> None:
    mask = NameMask()
    assert mask.path("D:\\Films\\Quay.mkv") == "<folder 1>\\<folder 2>\\<file 1>.mkv"
    assert mask.clean("http://nas.example:32400/x") == "http://<host 1>:32400/x"
    assert mask.clean("http://127.0.0.1:9999 http://localhost:1") == "http://127.0.0.1:9999 http://localhost:1"
    assert mask.clean("from 192.168.7.31, version 1.41.2.9200") == "from <private address 1>, version 1.41.2.9200"
    assert mask.clean("server 0123456789abcdef0123456789abcdef01234567") == "server <identifier 1>"


def test_code_stays_readable_in_tracebacks_without_saying_whose_it_is() -> None:
    line = 'File "/home/somebody/lib/python3.12/site-packages/urllib3/connection.py", line 198, in _new_conn'
    cleaned = NameMask().clean(line)
    assert "somebody" not in cleaned
    assert "site-packages/urllib3/connection.py" in cleaned
    assert "line 198" in cleaned


def test_what_stands_between_quotes_is_a_name_unless_it_is_technical() -> None:
    mask = NameMask()
    assert mask.clean("collection 'Evenings out' is gone") == "collection '<text 1>' is gone"
    assert mask.clean("it isn't there, and wasn't") == "it isn't there, and wasn't"


def test_names_are_looked_for_in_little_memory() -> None:
    occurs = occurring(["one text about Harbour at dawn", "and It"])
    assert occurs("Harbour at dawn")
    assert occurs("It")
    assert not occurs("Harbour at dusk")
    assert not occurs("Elsewhere")


def test_settings_that_name_things_of_a_library_are_private() -> None:
    private = private_keys()
    assert {"path_map", "only_tags", "plex_libraries", "tag_rename", "http_trusted_hosts", "organized_label"} <= private
    assert private.isdisjoint({"conflict_policy_fields", "collection_sources", "workers", "title_template"})
