"""All settings with their types, defaults and meanings; where values come from is the concern of ``settings``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from scenesync.app.configuration.addresses import DatabaseUrl, OptionalStashUrl, Secret
from scenesync.app.configuration.operation import CHOICE, SECRET_ADDRESSES, OperationSettings
from scenesync.app.configuration.values import (
    BasePath,
    CollectionSources,
    ContentRatings,
    Genders,
    HostName,
    LogFormat,
    LogLevel,
    Maximum,
    Names,
    OptionalFile,
    Patterns,
    Port,
    RenameRules,
    ShortText,
    Template,
    TimeoutS,
)
from scenesync.app.configuration.work import WorkSettings
from scenesync.domain.field_rules import (
    DEFAULT_TITLE,
    Disambiguation,
    PartialDates,
    PerformerOrder,
    PosterFit,
    StudioName,
)

if TYPE_CHECKING:
    from pydantic_settings import PydanticBaseSettingsSource

ENV_PREFIX: Final = "SCENESYNC_"


class Settings(WorkSettings):
    """Everything a person can decide, checked. Read a few values from it and pass those on, not the whole."""

    model_config = SettingsConfigDict(
        defer_build=False,
        env_prefix=ENV_PREFIX,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    sync_title: bool = Field(default=True, description="Write title and sort title.")
    sync_summary: bool = Field(default=True, description="Write the summary, from Stash's details.")
    sync_date: bool = Field(default=True, description="Write the date at which it was first available.")
    sync_studio: bool = Field(default=True, description="Write the studio.")
    sync_performers: bool = Field(default=True, description="Write the performers as actors, in order.")
    sync_tags: bool = Field(default=True, description="Write the tags as genres.")
    sync_director: bool = Field(default=True, description="Write the director.")
    sync_poster: bool = Field(default=True, description="Upload the cover as poster.")
    sync_background: bool = Field(default=True, description="Upload the cover as background art.")
    poster_fit: Annotated[PosterFit, CHOICE] = Field(
        default=PosterFit.NONE,
        description=(
            "How a landscape cover becomes a portrait poster: crop shows its middle, blur and letterbox all of it, "
            "before a blurred enlargement or between black bars; none uploads the cover as it is, for Plex's apps to "
            "cut. A change uploads each such poster once."
        ),
    )
    sync_collection: bool = Field(
        default=False,
        description=(
            "Put the item into a collection named after its studio; collection_sources and collection_tags name others."
        ),
    )
    sync_performer_photos: bool = Field(
        default=False,
        description=(
            "Give the actors their photos from Stash. Plex fetches them itself and has no key, so this works only with "
            "a Stash that asks for none (`scenesync doctor` tells). A photo is that of the person in every library; "
            "what others put there stays, unless conflict_policy_fields says `performer_photos => stash`."
        ),
    )
    stash_url_for_plex: OptionalStashUrl = Field(
        default=None,
        description="Where Plex reaches Stash, for performer photos, if that is another address than stash_url.",
    )
    sync_rating: bool = Field(
        default=False,
        description="Write the rating as user rating, that of the token's owner. An unrated scene clears only ours.",
    )
    sync_tagline: bool = Field(default=False, description="Write the studio's code as tagline.")
    sync_labels: bool = Field(
        default=False, description="Write labels; organized_label, label_tags and fixed_labels say which."
    )
    sync_content_rating: bool = Field(
        default=False, description="Write the content rating; content_rating and content_rating_tags say which."
    )
    title_template: Template = Field(
        default=DEFAULT_TITLE,
        description=(
            "What the title is made of, such as `{studio} - {title} ({year})`. What a scene lacks is left out together "
            "with the text before it, or with its brackets."
        ),
    )
    partial_dates: Annotated[PartialDates, CHOICE] = Field(
        default=PartialDates.COMPLETE,
        description="A date without day or month: complete makes it the first one, drop leaves the date alone.",
    )
    studio_name: Annotated[StudioName, CHOICE] = Field(
        default=StudioName.OWN,
        description=(
            "The studio that is shown: the scene's own, its parent, the root of its parents, or the whole path "
            "(`Root / Parent / Own`)."
        ),
    )
    tag_include: Patterns = Field(default=(), description="Only these tags become genres.")
    tag_exclude: Patterns = Field(default=(), description="These tags do not become genres, even if they are included.")
    tag_rename: RenameRules = Field(
        default=(),
        description=(
            "What tags are called in Plex: the first rule that fits decides. With a regular expression, `\\1` stands "
            "for its first group."
        ),
    )
    tag_parents: bool = Field(default=False, description="The tags above a scene's tags become genres too.")
    max_tags: Maximum = Field(default=0, description="At most so many genres, the scene's own tags first. 0: no limit.")
    performer_include: Patterns = Field(default=(), description="Only these performers become actors.")
    performer_exclude: Patterns = Field(
        default=(), description="These performers do not become actors, even if they are included."
    )
    performer_rename: RenameRules = Field(
        default=(), description="What performers are called in Plex, like tag_rename."
    )
    skip_performer_genders: Genders = Field(
        default=(), description="Performers of these genders do not become actors; one of unknown gender does."
    )
    performer_disambiguation: Annotated[Disambiguation, CHOICE] = Field(
        default=Disambiguation.NEEDED,
        description=(
            "When a performer's name has the disambiguation behind it: needed where a scene has two of that name, "
            "always, or never."
        ),
    )
    performer_order: Annotated[PerformerOrder, CHOICE] = Field(
        default=PerformerOrder.STASH,
        description="The order of the actors: stash (by age of the entry there), favorites first, or by name.",
    )
    max_performers: Maximum = Field(default=0, description="At most so many actors, the first ones. 0: no limit.")
    organized_label: ShortText = Field(
        default="Organized",
        description="The label of scenes that are organized in Stash. Empty (in scenesync.toml): none.",
    )
    label_tags: Patterns = Field(default=(), description="The tags that become labels.")
    fixed_labels: Names = Field(default=(), description="Labels that every scene gets.")
    collection_sources: CollectionSources = Field(
        default=("studio",),
        description=(
            "What collections are made of, with sync_collection: the studio, parent_studios (all that it belongs to), "
            "groups."
        ),
    )
    collection_tags: Patterns = Field(default=(), description="The tags that become collections, with sync_collection.")
    collection_summary: bool = Field(
        default=True,
        description=(
            "Give collections that SceneSync made the description of their studio, group or tag. A collection that was "
            "there before only gets members."
        ),
    )
    collection_poster: bool = Field(
        default=True, description="Give collections that SceneSync made the picture of their studio, group or tag."
    )
    collection_order: bool = Field(
        default=True,
        description=(
            "Sort a group's collection that SceneSync made by the scenes' numbers in the group, once Stash has any."
        ),
    )
    content_rating: ShortText = Field(default="", description="The content rating that every scene gets. Empty: none.")
    content_rating_tags: ContentRatings = Field(
        default=(), description="The content rating of scenes with certain tags: the first rule that fits decides."
    )
    connect_timeout: TimeoutS = Field(default=5, description="Seconds to wait for a connection to Plex or Stash.")
    read_timeout: TimeoutS = Field(default=30, description="Seconds to wait for an answer of Plex or Stash.")
    plex_ca_file: OptionalFile = Field(
        default=None,
        description="The certificate (PEM) of the authority that signed Plex's own, if it is not a public one.",
    )
    plex_verify_tls: bool = Field(
        default=True, description="Check Plex's certificate. Prefer plex_ca_file to switching it off."
    )
    stash_ca_file: OptionalFile = Field(
        default=None, description="The same for a Stash behind https: a certificate (PEM) to trust besides public ones."
    )
    stash_verify_tls: bool = Field(
        default=True, description="Check Stash's certificate. Prefer stash_ca_file to switching it off."
    )
    plex_notifications: bool = Field(
        default=True, description="Listen to what Plex announces, so that new files and edits made there count at once."
    )
    trigger_plex_scan: bool = Field(
        default=False, description="Ask Plex to scan the folder of a file that it does not have yet."
    )
    http_enabled: bool = Field(default=True, description="The daemon serves dashboard and API.")
    http_host: HostName = Field(default="127.0.0.1", description="The address on which dashboard and API listen.")
    http_port: Port = Field(default=9988, description="The port on which dashboard and API listen. 0: any free one.")
    http_api_key: Secret = Field(
        default=None,
        description=(
            "What callers of the API and people at the dashboard have to present, at least 16 characters where others "
            "can reach it. None given: one is made and kept in the file http-api-key in data_dir."
        ),
    )
    http_base_path: BasePath = Field(
        default="", description="Where a reverse proxy shows the dashboard, such as /scenesync. Empty: at the root."
    )
    http_trusted_hosts: Names = Field(
        default=(),
        description=(
            "Names by which the dashboard may be asked for, such as that of a reverse proxy. IP addresses, localhost "
            "and this machine's own name always may."
        ),
    )
    database_url: DatabaseUrl = Field(
        default=None,
        description=(
            "A PostgreSQL database that keeps queue and state for several machines, which then share the work. None "
            "given: files in data_dir. Needs the extra `postgres`; `scenesync migrate` moves what there is."
        ),
    )
    database_schema: str = Field(
        default="scenesync",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="The schema of that database in which all lies. Nobody sets it.",
    )
    log_format: Annotated[LogFormat, CHOICE] = Field(
        default=LogFormat.AUTO,
        description="How log lines look; auto: Stash's own form in its tasks, else text.",
    )
    log_level: Annotated[LogLevel, CHOICE] = Field(
        default=LogLevel.INFO, description="The least important level logged."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from nowhere but the call: ``load_settings`` reads the sources and remembers who set what."""
        return (init_settings,)


INTERNAL_KEYS: Final = frozenset({"database_schema"})
"""What SceneSync sets itself, for what it derives from settings."""
KEYS: Final = (
    *(key for key in Settings.model_fields if key not in {*OperationSettings.model_fields, *INTERNAL_KEYS}),
    *OperationSettings.model_fields,
)
"""All keys that a person can set, in the order in which they are shown."""
SECRET_KEYS: Final = frozenset({"stash_api_key", "plex_token", "http_api_key", "database_url"}) | SECRET_ADDRESSES
SECRET_FILE_KEYS: Final = frozenset(f"{key}_file" for key in SECRET_KEYS)
URL_KEYS: Final = frozenset({"stash_url", "plex_url", "plex_tv_url", "stash_url_for_plex"})
PATH_KEYS: Final = frozenset({"data_dir", "backup_dir", "plex_ca_file", "stash_ca_file"}) | SECRET_FILE_KEYS
LIST_SEPARATORS: Final = {
    "path_map": ";",
    **dict.fromkeys(("http_trusted_hosts", "notify_about"), ","),
    **dict.fromkeys(("plex_libraries", "only_tags", "skip_tags", "only_studios", "only_paths", "skip_paths"), ","),
    **dict.fromkeys(("tag_rename", "performer_rename", "content_rating_tags", "conflict_policy_fields"), ";"),
    **dict.fromkeys(("tag_include", "tag_exclude", "performer_include", "performer_exclude"), ","),
    **dict.fromkeys(
        ("label_tags", "fixed_labels", "skip_performer_genders", "collection_sources", "collection_tags"), ","
    ),
}
"""What separates the members of a list where it has to be written as one text."""
