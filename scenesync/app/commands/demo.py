"""The main job against simulated servers."""

from __future__ import annotations

import click


@click.command()
@click.pass_obj
def demo(app: object) -> int:
    """Show the main job against the built-in simulated Stash and Plex."""
    raise click.ClickException("in preparation")
