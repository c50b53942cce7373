"""The part of Stash's GraphQL schema that a metadata sync can meet, for parsing, validation and introspection.

Types, nullability and argument types follow Stash v0.30.1, since a variable declared with a wrong type is refused by
validation. Lines ending in ``#<minor>`` exist only since that minor release.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from graphql import GraphQLSchema, build_schema

from scenesync.simulators.stash.schema_inputs import INPUTS

if TYPE_CHECKING:
    from scenesync.simulators.stash.release import Release

_OUTPUTS: Final = """
scalar Time
scalar Timestamp
scalar Map
scalar PluginConfigMap
scalar BoolMap
scalar Any
scalar Int64

type Query {
  findScene(id: ID, checksum: String): Scene
  findScenes(
    scene_filter: SceneFilterType
    scene_ids: [Int!]
    ids: [ID!] #25
    filter: FindFilterType
  ): FindScenesResultType!
  findPerformer(id: ID!): Performer
  findPerformers(
    performer_filter: PerformerFilterType
    filter: FindFilterType
    performer_ids: [Int!]
    ids: [ID!]
  ): FindPerformersResultType!
  findStudio(id: ID!): Studio
  findStudios(studio_filter: StudioFilterType, filter: FindFilterType, ids: [ID!]): FindStudiosResultType!
  findTag(id: ID!): Tag
  findTags(tag_filter: TagFilterType, filter: FindFilterType, ids: [ID!]): FindTagsResultType!
  findGroup(id: ID!): Group #27
  findGroups(group_filter: GroupFilterType, filter: FindFilterType, ids: [ID!]): FindGroupsResultType! #27
  findMovie(id: ID!): Movie
  findMovies(filter: FindFilterType, ids: [ID!]): FindMoviesResultType!
  configuration: ConfigResult!
  plugins: [Plugin!]
  pluginTasks: [PluginTask!]
  jobQueue: [Job!]
  findJob(input: FindJobInput!): Job
  systemStatus: SystemStatus!
  version: Version!
}

type Mutation {
  sceneUpdate(input: SceneUpdateInput!): Scene
  scenesUpdate(input: [SceneUpdateInput!]!): [Scene]
  bulkSceneUpdate(input: BulkSceneUpdateInput!): [Scene!]
  sceneDestroy(input: SceneDestroyInput!): Boolean!
  scenesDestroy(input: ScenesDestroyInput!): Boolean!
  sceneMerge(input: SceneMergeInput!): Scene
  sceneAddPlay(id: ID!, times: [Timestamp!]): HistoryMutationResult!
  sceneAddO(id: ID!, times: [Timestamp!]): HistoryMutationResult!
  sceneSaveActivity(id: ID!, resume_time: Float, playDuration: Float): Boolean!
  sceneResetActivity(id: ID!, reset_resume: Boolean, reset_duration: Boolean): Boolean!
  performerUpdate(input: PerformerUpdateInput!): Performer
  studioUpdate(input: StudioUpdateInput!): Studio
  tagUpdate(input: TagUpdateInput!): Tag
  groupUpdate(input: GroupUpdateInput!): Group #27
  performersDestroy(ids: [ID!]!): Boolean!
  studiosDestroy(ids: [ID!]!): Boolean!
  tagsDestroy(ids: [ID!]!): Boolean!
  groupsDestroy(ids: [ID!]!): Boolean! #27
  tagsMerge(input: TagsMergeInput!): Tag
  configurePlugin(plugin_id: ID!, input: Map!): Map!
  setPluginsEnabled(enabledMap: BoolMap!): Boolean!
  reloadPlugins: Boolean!
  runPluginTask(plugin_id: ID!, task_name: String, description: String, args: [PluginArgInput!], args_map: Map): ID!
  runPluginOperation(plugin_id: ID!, args: Map): Any
  stopJob(job_id: ID!): Boolean!
  stopAllJobs: Boolean!
}

type Subscription {
  jobsSubscribe: JobStatusUpdate!
  scanCompleteSubscribe: Boolean!
}
enum JobStatusUpdateType { ADD REMOVE UPDATE }
type JobStatusUpdate { type: JobStatusUpdateType! job: Job! }

type Version { version: String hash: String! build_time: String! }
enum SystemStatusEnum { SETUP NEEDS_MIGRATION OK }
type SystemStatus {
  databaseSchema: Int
  databasePath: String
  configPath: String
  appSchema: Int!
  status: SystemStatusEnum!
  os: String!
}
type ConfigGeneralResult {
  apiKey: String!
  username: String!
  databasePath: String!
  pluginsPath: String!
  pythonPath: String!
  parallelTasks: Int!
  maxSessionAge: Int!
}
type ConfigResult { general: ConfigGeneralResult! plugins(include: [ID!]): PluginConfigMap! }

type PluginTask { name: String! description: String plugin: Plugin! }
type PluginHook { name: String! description: String hooks: [String!] plugin: Plugin! }
enum PluginSettingTypeEnum { STRING NUMBER BOOLEAN }
type PluginSetting { name: String! display_name: String description: String type: PluginSettingTypeEnum! }
type Plugin {
  id: ID!
  name: String!
  description: String
  url: String
  version: String
  enabled: Boolean!
  tasks: [PluginTask!]
  hooks: [PluginHook!]
  settings: [PluginSetting!]
}

enum JobStatus { READY RUNNING FINISHED STOPPING CANCELLED FAILED }
type Job {
  id: ID!
  status: JobStatus!
  subTasks: [String!]
  description: String!
  progress: Float
  startTime: Time
  endTime: Time
  addTime: Time!
  error: String
}

type HistoryMutationResult { count: Int! history: [Time!]! }
type StashID {
  endpoint: String!
  stash_id: String!
  updated_at: Time! #28
}
type Fingerprint { type: String! value: String! }
type VideoFile {
  id: ID!
  path: String!
  basename: String!
  mod_time: Time!
  size: Int64!
  fingerprint(type: String!): String
  fingerprints: [Fingerprint!]!
  format: String!
  width: Int!
  height: Int!
  duration: Float!
  video_codec: String!
  audio_codec: String!
  frame_rate: Float!
  bit_rate: Int!
  created_at: Time!
  updated_at: Time!
}
type VideoCaption { language_code: String! caption_type: String! }
type ScenePathsType { screenshot: String preview: String stream: String webp: String vtt: String sprite: String }
type SceneMarker {
  id: ID!
  title: String!
  seconds: Float!
  end_seconds: Float
  primary_tag: Tag!
  tags: [Tag!]!
}
type Gallery { id: ID! title: String }
type SceneGroup { group: Group! scene_index: Int } #27
type SceneMovie { movie: Movie! scene_index: Int }
type Movie { id: ID! name: String! date: String synopsis: String front_image_path: String updated_at: Time! }

type Scene {
  id: ID!
  title: String
  code: String
  details: String
  director: String
  url: String
  urls: [String!]!
  date: String
  rating100: Int
  organized: Boolean!
  o_counter: Int
  interactive: Boolean!
  interactive_speed: Int
  captions: [VideoCaption!]
  created_at: Time!
  updated_at: Time!
  last_played_at: Time
  resume_time: Float
  play_duration: Float
  play_count: Int
  play_history: [Time!]!
  o_history: [Time!]!
  files: [VideoFile!]!
  paths: ScenePathsType!
  scene_markers: [SceneMarker!]!
  galleries: [Gallery!]!
  studio: Studio
  groups: [SceneGroup!]! #27
  movies: [SceneMovie!]!
  tags: [Tag!]!
  performers: [Performer!]!
  stash_ids: [StashID!]!
}
enum GenderEnum { MALE FEMALE TRANSGENDER_MALE TRANSGENDER_FEMALE INTERSEX NON_BINARY }
type Performer {
  id: ID!
  name: String!
  disambiguation: String
  alias_list: [String!]!
  gender: GenderEnum
  birthdate: String
  details: String
  url: String
  urls: [String!]
  favorite: Boolean!
  rating100: Int
  tags: [Tag!]!
  image_path: String
  scene_count: Int!
  created_at: Time!
  updated_at: Time!
}
type Studio {
  id: ID!
  name: String!
  url: String
  urls: [String!]! #30
  parent_studio: Studio
  child_studios: [Studio!]!
  aliases: [String!]!
  tags: [Tag!]!
  details: String
  favorite: Boolean!
  rating100: Int
  image_path: String
  scene_count(depth: Int): Int!
  created_at: Time!
  updated_at: Time!
}
type Tag {
  id: ID!
  name: String!
  sort_name: String #28
  description: String
  aliases: [String!]!
  favorite: Boolean!
  parents: [Tag!]!
  children: [Tag!]!
  image_path: String
  scene_count(depth: Int): Int!
  created_at: Time!
  updated_at: Time!
}
type Group { #27
  id: ID! #27
  name: String! #27
  aliases: String #27
  date: String #27
  director: String #27
  synopsis: String #27
  rating100: Int #27
  urls: [String!]! #27
  studio: Studio #27
  front_image_path: String #27
  back_image_path: String #27
  scene_count(depth: Int): Int! #27
  created_at: Time! #27
  updated_at: Time! #27
} #27
type FindScenesResultType { count: Int! duration: Float! filesize: Float! scenes: [Scene!]! }
type FindPerformersResultType { count: Int! performers: [Performer!]! }
type FindStudiosResultType { count: Int! studios: [Studio!]! }
type FindTagsResultType { count: Int! tags: [Tag!]! }
type FindGroupsResultType { count: Int! groups: [Group!]! } #27
type FindMoviesResultType { count: Int! movies: [Movie!]! }
"""

_SINCE: Final = re.compile(r"^(?P<line>.*?) #(?P<minor>\d+)$", re.MULTILINE)


def schema_of(release: Release) -> GraphQLSchema:
    """Return the schema that ``release`` would publish."""
    return _schema_of(release.minor)


@functools.cache
def _schema_of(minor: int) -> GraphQLSchema:
    def keep(match: re.Match[str]) -> str:
        return match["line"] if int(match["minor"]) <= minor else ""

    return build_schema(_SINCE.sub(keep, _OUTPUTS + INPUTS))
