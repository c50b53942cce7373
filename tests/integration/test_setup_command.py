"""`scenesync setup`: every answer tried, the plan shown, one write at the end, and nothing in Plex before."""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from command_line import run_command
from setup_world import SetUpWorld
from sync_world import PLEX_ROOT, STASH_ROOT, TOKEN

from scenesync.app.setup.terminal import Conversation, Wishes
from scenesync.domain.errors import StashUnavailable
from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.plex_tv import PlexTvSimulator, connection
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetUpWorld]:
    with SetUpWorld(tmp_path / "data", monkeypatch) as built:
        yield built
        assert built.plex_tv.failures == ()


def test_without_yes_the_plan_is_shown_and_nothing_written_anywhere(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = home.command(capsys, "--json")

    shown = json.loads(ran.stdout)
    assert ran.exit_code == 3
    assert shown["written"] is None
    assert shown["plan"]["change"] == 2
    assert shown["coverage"]["scenes"] == 3
    assert shown["path_map"] == [f"{STASH_ROOT} => {PLEX_ROOT}"]
    assert shown["libraries"] == ["Scenes"]
    assert not home.toml.exists()
    assert home.writes() == []
    assert list((home.data_dir / "queue").glob("*damaged*")) == []  # what is made on the way is whole


def test_with_yes_the_settings_are_written_once_for_their_owner_alone(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    home.data_dir.mkdir()
    home.toml.write_text("# ours\nworkers = 2\n", encoding="utf-8")
    home.toml.chmod(0o644)

    ran = home.command(capsys, "--yes", "--json", "--library", "scenes")

    assert (ran.exit_code, json.loads(ran.stdout)["written"]) == (0, str(home.toml))
    assert tomllib.loads(home.toml.read_text()) == {
        "workers": 2,
        "stash_url": home.stash.url,
        "plex_url": home.plex.url,
        "plex_token": TOKEN,
        "plex_libraries": ["Scenes"],
        "path_map": [f"{STASH_ROOT} => {PLEX_ROOT}"],
    }
    assert home.toml.read_text().startswith("# ours\n")
    assert stat.S_IMODE(home.toml.stat().st_mode) == 0o600
    assert home.writes() == []
    # What was written is enough to work with, and does what the plan said.
    assert run_command(capsys, "sync", "--all").exit_code == 3  # one file is not in Plex
    assert {write.field for write in home.plex.field_writes} >= {"title"}


def test_a_token_never_shows_and_a_secret_goes_where_the_settings_keep_it(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    home.data_dir.mkdir()
    (home.data_dir / "plex.token").write_text("fake-old-token\n")
    home.toml.write_text('plex_token_file = "plex.token"\n', encoding="utf-8")
    token = home.secret_file("token", TOKEN)

    given = ["--stash-url", home.stash.url, "--plex-url", home.plex.url, "--plex-token-file", token]
    ran = run_command(capsys, "setup", *given, "--yes")

    assert ran.exit_code == 0
    assert ran.stdout.endswith("scenesync run\nIt then writes to Plex what the plan shows: 2 scenes.\n")
    assert TOKEN not in ran.stdout
    assert TOKEN not in home.toml.read_text()
    assert (home.data_dir / "plex.token").read_text() == f"{TOKEN}\n"
    assert stat.S_IMODE((home.data_dir / "plex.token").stat().st_mode) == 0o600
    assert run_command(capsys, "plan", "--all").exit_code == 0


def test_what_the_environment_says_is_taken_and_stays_there(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    home.environment(STASH_URL=home.stash.url, PLEX_URL=home.plex.url, PLEX_TOKEN=TOKEN)

    ran = run_command(capsys, "setup", "--yes", "--json")

    assert ran.exit_code == 0
    assert set(json.loads(ran.stdout)["set_elsewhere"]) == {"stash_url", "plex_url", "plex_token"}
    assert set(tomllib.loads(home.toml.read_text())) == {"path_map"}

    again = run_command(capsys, "setup", "--plex-url", "http://192.0.2.7:32400", "--yes")
    assert again.exit_code == 2  # it would be written and then not count


def test_set_up_again_keeps_what_is_not_answered_anew(home: SetUpWorld, capsys: pytest.CaptureFixture[str]) -> None:
    home.plex.add_library("Concerts", roots=["/mnt/concerts"])
    home.command(capsys, "--yes", "--library", "Scenes")
    first = tomllib.loads(home.toml.read_text())

    assert run_command(capsys, "setup", "--yes").exit_code == 0
    assert tomllib.loads(home.toml.read_text()) == first
    assert run_command(capsys, "setup", "--yes", "--all-libraries").exit_code == 0
    assert tomllib.loads(home.toml.read_text())["plex_libraries"] == []


def test_a_settings_file_that_cannot_be_written_is_named(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.data_dir.mkdir()
    home.toml.write_text("workers = 2\n", encoding="utf-8")
    # As it is for somebody who is not root.
    monkeypatch.setattr(
        "scenesync.app.configuration.editing.os.access", lambda path, _mode: str(path) != str(home.toml)
    )
    ran = home.command(capsys, "--yes")
    assert ran.exit_code == 1
    assert ran.stderr == f"Error: {home.toml} is write-protected.\n"  # before anything was asked for
    assert list(home.plex.requests) == []
    assert home.command(capsys).exit_code == 3  # the plan can be looked at
    assert home.toml.read_text() == "workers = 2\n"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--plex-url", "ftp://cellar", "--plex-token-file", "TOKEN"], 2, "plex_url"),
        (["--plex-url", "PLEX", "--plex-token-file", "WRONG"], 1, "Error: Plex does not accept this token."),
        (["--plex-url", "http://127.0.0.1:9", "--plex-token-file", "TOKEN"], 1, "Error: Plex cannot be reached"),
        (["--plex-url", "STASH", "--plex-token-file", "TOKEN"], 1, "is not a Plex server"),
        (["--plex-url", "PLEX", "--plex-token-file", "TOKEN", "--library", "Attic"], 1, "called 'Attic'"),
        ([], 2, "Nobody can be asked here"),
    ],
)
def test_what_does_not_work_is_said_and_leaves_no_settings(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str], options: list[str], code: int, words: str
) -> None:
    known = {
        "STASH": home.stash.url,
        "PLEX": home.plex.url,
        "TOKEN": home.secret_file("token", TOKEN),
        "WRONG": home.secret_file("wrong", "fake-wrong-token"),
    }

    ran = run_command(
        capsys, "setup", "--stash-url", home.stash.url, "--yes", *(known.get(each, each) for each in options)
    )

    assert ran.exit_code == code
    assert words in ran.stderr
    assert "GET /" not in ran.stderr
    assert not home.toml.exists()
    assert home.writes() == []


def test_a_plex_given_as_stash_is_recognised_before_a_key_is_looked_for(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run_command(capsys, "setup", "--stash-url", home.plex.url, "--yes")

    assert ran.exit_code == 1
    assert ran.stderr.splitlines()[-1] == f"Error: At {home.plex.url} there is a Plex server, not Stash."


def test_who_has_a_question_or_option_for_the_key_is_not_sent_to_a_setting(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    with StashSimulator(api_key="fake-stash-key", username="anna", password="fake-password") as stash:
        wrong = home.secret_file("wrong", "fake-wrong-key")
        ran = run_command(capsys, "setup", "--stash-url", stash.url, "--stash-api-key-file", wrong, "--yes")

    assert ran.exit_code == 1
    assert "It does not accept this API key. Create one in Stash" in ran.stderr
    assert "stash_api_key" not in ran.stderr.casefold()


def test_questions_are_asked_again_until_the_answers_work(home: SetUpWorld) -> None:
    with StashSimulator(api_key="fake-stash-key", username="anna", password="fake-password") as stash:
        stash.add_scene(
            path=f"{STASH_ROOT}/Films/film 1.mp4", size_bytes=1_000_001, duration_s=60.0, title="Lighthouse"
        )
        answers = [
            "http://127.0.0.1:9",  # nobody is there
            stash.url,
            "fake-stash-key",
            "token",
            home.plex.url,
            "fake-wrong-token",
            "token",
            home.plex.url,
            TOKEN,
            "Attic",
            "scenes",
            "y",  # take the path map
            "y",  # write
        ]
        setup = home.setting_up()
        talk = Conversation(setup, Wishes(), asks=True, beside_json=False)
        with CliRunner().isolation(input="\n".join(answers) + "\n") as (output, *_):
            talk.console.file = sys.stdout
            talk.until_the_plan_is_seen()
            assert home.writes() == []
            assert talk.agrees()
            setup.write()
            said = output.getvalue().decode()
    assert "takes no connections" in said
    assert "Plex does not accept this token" in said
    assert "Plex has no movie library called 'Attic'" in said
    assert "1 scene to change" in said
    assert "fake-stash-key" not in said
    assert TOKEN not in said
    written = tomllib.loads(home.toml.read_text())
    assert (written["stash_api_key"], written["plex_libraries"]) == ("fake-stash-key", ["Scenes"])
    assert {"fake-stash-key", TOKEN} <= set(home.protected)


def test_a_mistyped_key_of_stash_is_asked_for_again_unseen_and_a_refused_address_is_no_default(
    home: SetUpWorld,
) -> None:
    with StashSimulator(api_key="fake-stash-key", username="anna", password="fake-password") as stash:
        setup = home.setting_up()
        answers = [
            "fake-stash-key",  # the key where the address belongs
            "",  # takes the default, which is an address still
            stash.url,
            "fake-mistyped-key",
            "fake-stash-key",
        ]
        talk = Conversation(setup, Wishes(stash_url="http://127.0.0.1:9"), asks=True, beside_json=False)
        with CliRunner().isolation(input="\n".join(answers) + "\n") as (output, *_):
            talk.console.file = sys.stdout
            with suppress(click.Abort):  # the questions about Plex find nobody
                talk.until_the_plan_is_seen()
            said = output.getvalue().decode()
    assert setup.state.stash is not None
    assert said.count("takes no connections") == 2  # of the option, and of the default after the key was no address
    assert "This is no address" in said
    assert "Stash does not accept this key" in said
    assert "[fake" not in said
    assert "fake-mistyped-key" not in said
    assert "fake-stash-key" not in said.replace("Address of Stash [http://127.0.0.1:9]: fake-stash-key", "")


def test_no_key_of_stash_leads_back_to_its_address(home: SetUpWorld) -> None:
    with StashSimulator(api_key="fake-stash-key", username="anna", password="fake-password") as stash:
        setup = home.setting_up()
        talk = Conversation(setup, Wishes(), asks=True, beside_json=False)
        answers = [stash.url, "", home.stash.url]
        with CliRunner().isolation(input="\n".join(answers) + "\n"), suppress(click.Abort):
            talk.until_the_plan_is_seen()
    assert setup.state.stash is not None
    assert setup.state.stash.url == home.stash.url


def test_a_no_at_the_end_changes_nothing(home: SetUpWorld) -> None:
    setup = home.setting_up()
    setup.try_stash(home.stash.url)
    setup.try_plex(home.plex.url, TOKEN)
    setup.choose_libraries(())
    with pytest.raises(RuntimeError, match="before there is a plan"):
        setup.write()
    talk = Conversation(setup, Wishes(), asks=True, beside_json=False)
    with CliRunner().isolation(input="n\n\n"):  # no path map, and the default at the end
        talk.until_the_plan_is_seen()
        assert not talk.agrees()
    assert setup.path_map() == ()
    assert not home.toml.exists()


def test_signing_in_finds_the_server_at_home_and_shows_nobody_else_the_token(
    home: SetUpWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    with PlexSimulator(token=TOKEN, machine_identifier="another") as stranger:
        home.offer(
            connections=(
                connection("http://127.0.0.1:9"),
                connection(stranger.url),  # a neighbour's server at the address that ours had
                connection(home.plex.url),
                connection("http://192.0.2.7:32400", local=False, uri="https://relay.invalid:8443", relay=True),
            )
        )
        home.offer("Borrowed", owned=False, machine_identifier="borrowed")
        _confirm_soon(home.plex_tv)

        ran = run_command(capsys, "setup", "--stash-url", home.stash.url, "--sign-in", "--yes", "--json")

        assert ran.exit_code == 0, ran.stdout
        assert json.loads(ran.stdout)["plex"]["name"] == "Cellar"
        assert tomllib.loads(home.toml.read_text())["plex_url"] == home.plex.url
        assert {each.path for each in stranger.requests} == {"/identity"}
    assert home.plex_tv.account_token not in home.toml.read_text()
    assert home.plex_tv.account_token not in ran.stdout


def test_with_several_servers_one_is_named(home: SetUpWorld, capsys: pytest.CaptureFixture[str]) -> None:
    home.offer("Attic", machine_identifier="attic", connections=(connection("http://127.0.0.1:9"),))
    home.offer("Cellar")
    for options, code in (
        ([], 2),
        (["--server", "Garage"], 2),
        (["--server", "Attic"], 1),
        (["--server", "Cellar"], 0),
    ):
        _confirm_soon(home.plex_tv)
        ran = run_command(capsys, "setup", "--stash-url", home.stash.url, "--sign-in", "--yes", "--json", *options)
        assert ran.exit_code == code, options
        assert home.toml.exists() is (code == 0)


def test_a_stash_that_waits_for_its_migration_is_told_of(home: SetUpWorld) -> None:
    home.stash.set_status("NEEDS_MIGRATION")
    with pytest.raises(StashUnavailable, match=r"NEEDS_MIGRATION\. Open it in a browser"):
        home.setting_up().try_stash(home.stash.url)


def test_on_a_real_terminal_the_key_is_not_echoed_and_ctrl_c_leaves_nothing(home: SetUpWorld) -> None:
    talk = _Terminal(home)
    try:
        talk.reads("Address of Stash")
        talk.types(home.stash.url)
        talk.reads("How")
        talk.types("token")
        talk.reads("Address of Plex")
        talk.types(home.plex.url)
        talk.reads("not shown")
        talk.types(TOKEN)
        talk.reads("Libraries to keep in sync")
        assert TOKEN not in talk.shown
        process = Path(f"/proc/{talk.child.pid}")
        if process.exists():  # on Linux
            assert TOKEN.encode() not in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        assert talk.is_interrupted() == 1
    finally:
        talk.close()
    assert not home.toml.exists()
    assert list(home.data_dir.glob(".scenesync.toml*")) == []
    assert home.writes() == []


def _confirm_soon(plex_tv: PlexTvSimulator) -> None:
    """Be the person with the browser: the next PIN is confirmed as soon as it is there."""
    plex_tv.confirms_next = True


class _Terminal:
    """The command on a pseudo-terminal, as a person sits before it."""

    def __init__(self, home: SetUpWorld) -> None:
        self.shown = ""
        self._ours, theirs = os.openpty()
        self.child = subprocess.Popen(
            [sys.executable, "-m", "scenesync", "setup"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"PATH": os.defpath, "TERM": "dumb", "SCENESYNC_DATA_DIR": str(home.data_dir)},
            start_new_session=True,
        )
        os.close(theirs)

    def reads(self, text: str, within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self._ours], [], [], 0.1)[0]:
                self.shown += os.read(self._ours, 65_536).decode()

    def types(self, line: str) -> None:
        os.write(self._ours, line.encode() + b"\n")

    def is_interrupted(self) -> int:
        """Press Ctrl-C until it is heard: one that falls between two instructions of readline is lost."""
        for _ in range(10):
            self.child.send_signal(signal.SIGINT)
            with suppress(AssertionError):
                self.reads("Interrupted.", within_s=3.0)
                break
        return self.child.wait(30)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self._ours)
