"""Set SceneSync up, question by question."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scenesync.app.commands import options
from scenesync.app.configuration.editing import SettingsFileRefused
from scenesync.app.configuration.values import LogLevel
from scenesync.app.context import AppContext, print_failure, print_json, secrets_of
from scenesync.app.exit_codes import DONE, FAILED, LEFTOVERS
from scenesync.app.logs import set_up_logging
from scenesync.app.running.daemon import Daemon, SettingsSource
from scenesync.app.running.dashboard_switch import DashboardWhenWanted
from scenesync.app.running.switch import is_running
from scenesync.app.settings import SettingsError
from scenesync.app.setup.setting_up import SetUp
from scenesync.app.setup.terminal import Conversation, Wishes, somebody_is_there
from scenesync.app.wording.counting import counted
from scenesync.domain.setting_origin import is_decided
from scenesync.reconciliation.planning import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

_STDIN = "-"
_SECRET_FILE = click.Path(dir_okay=False, allow_dash=True)


@click.command()
@click.option("--stash-url", default="", metavar="URL", help="Where Stash answers.")
@click.option("--stash-api-key-file", type=_SECRET_FILE, help="The file that holds Stash's API key; - reads a line.")
@click.option("--plex-url", default="", metavar="URL", help="Where the Plex server answers.")
@click.option("--plex-token-file", type=_SECRET_FILE, help="The file that holds Plex's token; - reads a line of stdin.")
@click.option("--sign-in", is_flag=True, help="Sign in at plex.tv in a browser, instead of a token.")
@click.option("--server", default="", metavar="NAME", help="Which server of the account, with --sign-in.")
@click.option(
    "--library", "libraries", multiple=True, metavar="NAME", help="Only this library of Plex; may be repeated."
)
@click.option("--all-libraries", is_flag=True, help="All movie libraries, also those to come.")
@click.option("--keep-path-map", is_flag=True, help="Do not take a proposed path_map.")
@click.option("--start", is_flag=True, help="Start the daemon here afterwards.")
@click.option("--yes", is_flag=True, help="Take every default and write the settings once the plan was shown.")
@options.as_json
@click.pass_obj
def setup(
    app: AppContext,
    *,
    stash_url: str,
    stash_api_key_file: str | None,
    plex_url: str,
    plex_token_file: str | None,
    sign_in: bool,
    server: str,
    libraries: tuple[str, ...],
    all_libraries: bool,
    keep_path_map: bool,
    start: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Set up: find Stash and Plex, compare both libraries, show what would change, then begin.

    Asks for what it needs, tries every answer at once, and can be ended by Ctrl-C at any time. The settings are
    written in one step, after the plan was shown and somebody said yes; nothing is written to Plex before. Without a
    terminal it asks nothing: without --yes it ends after the plan, with status 3 and nothing written. Secrets are typed
    unseen, or come from a file, from stdin, or from SCENESYNC_STASH_API_KEY and SCENESYNC_PLEX_TOKEN, where they stay.
    """
    if libraries and all_libraries:
        raise click.UsageError("--library and --all-libraries exclude each other.")
    wishes = Wishes(
        stash_url=stash_url.strip(),
        stash_api_key=_secret_in(stash_api_key_file),
        plex_url=plex_url.strip(),
        plex_token=_secret_in(plex_token_file),
        signs_in=sign_in,
        server=server,
        libraries=libraries,
        all_libraries=all_libraries,
        keeps_path_map=keep_path_map,
        yes=yes,
    )
    loaded = app.load()
    if loaded.routes:
        raise SettingsError(
            [f"{loaded.file} has tables of several servers, which setup cannot write. Change it by hand."]
        )

    # Between questions and answers only what matters is to be read, unless somebody asked for more.
    level = loaded.settings.log_level if is_decided(loaded.origins["log_level"]) else LogLevel.WARNING

    def protect(secrets: Iterable[str]) -> None:
        set_up_logging(loaded.settings.log_format, level, secrets)

    protect(secrets_of(loaded.settings))
    process = SetUp(app, loaded, protect)
    talk = Conversation(
        process,
        wishes,
        asks=somebody_is_there() and not as_json,
        beside_json=as_json,
        is_at_work=is_running(loaded.settings.data_dir) and process.is_known("plex_url", "plex_token"),
    )
    talk.until_the_plan_is_seen()
    try:
        file = process.write() if talk.agrees() else None
    except SettingsFileRefused as error:
        click.echo(f"scenesync: not written: {error}", err=True)
        print_failure(f"not written: {error}")
        return FAILED
    runs = is_running(loaded.settings.data_dir)
    if as_json:
        print_json({**_document(process), "written": None if file is None else str(file), "daemon_running": runs})
    if file is None:
        click.echo("Nothing was changed. (--yes writes the settings after the plan.)", err=True)
        return LEFTOVERS
    if not as_json:
        click.echo(f"Written: {file}")
        click.echo(_what_comes_next(process, runs=runs))
    if not runs and (start or talk.starts_now()):
        return Daemon(SettingsSource(app, None), DashboardWhenWanted()).run()
    return DONE


def _what_comes_next(process: SetUp, *, runs: bool) -> str:
    """Say what the daemon will do: it writes all that the plan has, without being asked again."""
    assert process.state.plan is not None  # noqa: S101 - nothing is written before
    changing = process.state.plan.totals.verdicts[Verdict.CHANGE]
    begins = "The daemon that runs goes on with it by itself." if runs else "Start it with: scenesync run"
    return (
        f"{begins}\nIt then writes to Plex what the plan shows: {counted(changing, 'scene')}." if changing else begins
    )


def _secret_in(file: str | None) -> str:
    """Return the secret in a file, or in the next line of stdin. Raises UsageError."""
    if file is None:
        return ""
    try:
        text = sys.stdin.readline() if file == _STDIN else Path(file).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} cannot be read as the file of a secret ({type(error).__name__}).") from error
    if not text.strip():
        raise click.UsageError(f"There is no secret in {'stdin' if file == _STDIN else file}.")
    return text.strip()


def _document(process: SetUp) -> dict[str, Any]:
    """Return what was found and planned, for ``--json``: never a secret."""
    state = process.state
    assert state.stash is not None  # noqa: S101 - the conversation went on to its end
    assert state.plex is not None  # noqa: S101 - likewise
    assert state.plan is not None  # noqa: S101 - likewise
    return {
        "stash": {"url": state.stash.url, "version": state.stash.version, "scenes": state.stash.scenes},
        "plex": {"url": state.plex.url, "name": state.plex.name or None, "version": state.plex.version},
        "libraries": list(state.libraries or state.plex.libraries),
        "path_map": list(process.path_map()),
        "coverage": state.plan.coverage.as_document(),
        "plan": {**state.plan.totals.as_document(), "file": str(state.plan.file)},
        "set_elsewhere": process.fixed,
    }
