"""Errors inside a simulated Stash: what a resolver reports, and what a request that nobody waits for ends with."""

from __future__ import annotations


class ResolverError(Exception):
    """Reported with status 200 in ``errors``, with the path of the field; the text is Stash's own."""


class OperationCancelled(Exception):
    """The request's client has gone: nothing that still had to be done is done."""

    def __init__(self) -> None:
        super().__init__("operation cancelled")
