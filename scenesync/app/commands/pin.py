"""A person's word about which Plex item shows a scene."""

from __future__ import annotations

import click

from scenesync.app.choosing import SCENE_ID
from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.installation import open_installation
from scenesync.app.pinning import pin_scene, unpin_scene

_NEXT = "It is looked at by the daemon, or by `scenesync drain`."


@click.command()
@click.argument("scene_id", type=SCENE_ID)
@click.argument("rating_key")
@options.as_json
@on_routes.one_chosen_route
def pin(app: AppContext, *, scene_id: int, rating_key: str, as_json: bool) -> int:
    """Say that a Plex item shows a scene, whatever the files are called.

    For matches that no rule finds, or that are ambiguous, and for the scene that an item shows which Plex merged from
    several. Kept by the path of the scene's file; the item is found again after a rescan. The scene is synced anew.
    """
    with open_installation(app.load().settings) as installation:
        pinned = pin_scene(installation, scene_id, rating_key)
    if as_json:
        print_json(pinned.as_document())
        return DONE
    click.echo(f"Scene {scene_id} ({pinned.scene_files[0]}) is pinned to the Plex item {rating_key}, which plays:")
    for path in pinned.item_files:
        click.echo(f"  {path}")
    if pinned.before not in {None, rating_key}:
        click.echo(f"It was pinned to {pinned.before} before.")
    click.echo(_NEXT)
    return DONE


@click.command()
@click.argument("scene_id", type=SCENE_ID)
@options.as_json
@on_routes.one_chosen_route
def unpin(app: AppContext, *, scene_id: int, as_json: bool) -> int:
    """Take a pin back: the rules decide again.

    Scenes that the item showed before the pin are looked at anew, so that it shows the right one. An item that no scene
    claims stays as it is.
    """
    with open_installation(app.load().settings) as installation:
        was_pinned = unpin_scene(installation, scene_id)
    if as_json:
        print_json({"scene_id": scene_id, "was_pinned": was_pinned})
    elif was_pinned:
        click.echo(f"Scene {scene_id} is no longer pinned. {_NEXT}")
    else:
        click.echo(f"Scene {scene_id} was not pinned.", err=True)
    return DONE if was_pinned else FAILED
