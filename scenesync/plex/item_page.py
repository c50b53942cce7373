"""Where a person looks at an item: Plex's own web app, which every server brings along. Standard library only."""


def item_page(base_url: str, server_id: str, rating_key: str) -> str:
    """Return the address of an item's page, as a browser asks for it."""
    address = base_url.rstrip("/")
    return f"{address}/web/index.html#!/server/{server_id}/details?key=%2Flibrary%2Fmetadata%2F{rating_key}"
