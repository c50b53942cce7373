"""Input types of Stash's GraphQL schema; :mod:`scenesync.simulators.stash.schema` explains the notation."""

from __future__ import annotations

from typing import Final

INPUTS: Final = """
enum SortDirectionEnum { ASC DESC }
enum CriterionModifier {
  EQUALS NOT_EQUALS GREATER_THAN LESS_THAN IS_NULL NOT_NULL INCLUDES_ALL INCLUDES EXCLUDES
  MATCHES_REGEX NOT_MATCHES_REGEX BETWEEN NOT_BETWEEN
}
input FindFilterType { q: String page: Int per_page: Int sort: String direction: SortDirectionEnum }
input StringCriterionInput { value: String! modifier: CriterionModifier! }
input IntCriterionInput { value: Int! value2: Int modifier: CriterionModifier! }
input DateCriterionInput { value: String! value2: String modifier: CriterionModifier! }
input TimestampCriterionInput { value: String! value2: String modifier: CriterionModifier! }
input MultiCriterionInput { value: [ID!] modifier: CriterionModifier! excludes: [ID!] }
input HierarchicalMultiCriterionInput { value: [ID!] modifier: CriterionModifier! depth: Int excludes: [ID!] }

input SceneFilterType {
  AND: SceneFilterType
  OR: SceneFilterType
  NOT: SceneFilterType
  id: IntCriterionInput
  title: StringCriterionInput
  code: StringCriterionInput
  details: StringCriterionInput
  director: StringCriterionInput
  path: StringCriterionInput
  url: StringCriterionInput
  file_count: IntCriterionInput
  rating100: IntCriterionInput
  organized: Boolean
  date: DateCriterionInput
  studios: HierarchicalMultiCriterionInput
  groups: HierarchicalMultiCriterionInput #27
  movies: MultiCriterionInput
  tags: HierarchicalMultiCriterionInput
  performers: MultiCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
  performers_filter: PerformerFilterType #27
  studios_filter: StudioFilterType #27
  tags_filter: TagFilterType #27
  groups_filter: GroupFilterType #27
  files_filter: FileFilterType #30
}
input FileFilterType {
  path: StringCriterionInput
  basename: StringCriterionInput
  mod_time: TimestampCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}
input PerformerFilterType {
  name: StringCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}
input StudioFilterType {
  name: StringCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}
input TagFilterType {
  name: StringCriterionInput
  created_at: TimestampCriterionInput
  updated_at: TimestampCriterionInput
}
input GroupFilterType { #27
  name: StringCriterionInput #27
  created_at: TimestampCriterionInput #27
  updated_at: TimestampCriterionInput #27
} #27

input StashIDInput {
  endpoint: String!
  stash_id: String!
  updated_at: Time #28
}
input SceneGroupInput { group_id: ID! scene_index: Int } #27
input SceneMovieInput { movie_id: ID! scene_index: Int }
enum BulkUpdateIdMode { SET ADD REMOVE }
input BulkUpdateIds { ids: [ID!] mode: BulkUpdateIdMode! }
input BulkUpdateStrings { values: [String!] mode: BulkUpdateIdMode! }

input SceneUpdateInput {
  clientMutationId: String
  id: ID!
  title: String
  code: String
  details: String
  director: String
  url: String
  urls: [String!]
  date: String
  rating100: Int
  o_counter: Int
  organized: Boolean
  studio_id: ID
  gallery_ids: [ID!]
  performer_ids: [ID!]
  movies: [SceneMovieInput!]
  groups: [SceneGroupInput!] #27
  tag_ids: [ID!]
  cover_image: String
  stash_ids: [StashIDInput!]
  resume_time: Float
  play_duration: Float
  play_count: Int
  primary_file_id: ID
}
input BulkSceneUpdateInput {
  clientMutationId: String
  ids: [ID!]
  title: String
  code: String
  details: String
  director: String
  url: String
  urls: BulkUpdateStrings
  date: String
  rating100: Int
  organized: Boolean
  studio_id: ID
  gallery_ids: BulkUpdateIds
  performer_ids: BulkUpdateIds
  tag_ids: BulkUpdateIds
  group_ids: BulkUpdateIds #27
  movie_ids: BulkUpdateIds
}
input SceneDestroyInput { id: ID! delete_file: Boolean delete_generated: Boolean }
input ScenesDestroyInput { ids: [ID!]! delete_file: Boolean delete_generated: Boolean }
input SceneMergeInput {
  source: [ID!]!
  destination: ID!
  values: SceneUpdateInput
  play_history: Boolean
  o_history: Boolean
}
input CustomFieldsInput { full: Map partial: Map remove: [String!] }
input PerformerUpdateInput {
  id: ID!
  name: String
  disambiguation: String
  url: String
  urls: [String!]
  gender: GenderEnum
  birthdate: String
  ethnicity: String
  country: String
  eye_color: String
  height_cm: Int
  measurements: String
  fake_tits: String
  penis_length: Float
  circumcised: String
  career_length: String
  tattoos: String
  piercings: String
  alias_list: [String!]
  twitter: String
  instagram: String
  favorite: Boolean
  tag_ids: [ID!]
  image: String
  stash_ids: [StashIDInput!]
  rating100: Int
  details: String
  death_date: String
  hair_color: String
  weight: Int
  ignore_auto_tag: Boolean
  custom_fields: CustomFieldsInput #28
}
input StudioUpdateInput {
  id: ID!
  name: String
  url: String
  urls: [String!] #30
  parent_id: ID
  image: String
  stash_ids: [StashIDInput!]
  rating100: Int
  favorite: Boolean
  details: String
  aliases: [String!]
  tag_ids: [ID!]
  ignore_auto_tag: Boolean
}
input TagUpdateInput {
  id: ID!
  name: String
  sort_name: String #28
  description: String
  aliases: [String!]
  favorite: Boolean
  image: String
  parent_ids: [ID!]
  child_ids: [ID!]
}
input GroupUpdateInput { #27
  id: ID! #27
  name: String #27
  aliases: String #27
  duration: Int #27
  date: String #27
  rating100: Int #27
  studio_id: ID #27
  director: String #27
  synopsis: String #27
  urls: [String!] #27
  tag_ids: [ID!] #27
  front_image: String #27
  back_image: String #27
} #27
input TagsMergeInput { source: [ID!]! destination: ID! }
input FindJobInput { id: ID! }
input PluginValueInput { str: String i: Int b: Boolean f: Float }
input PluginArgInput { key: String! value: PluginValueInput }
"""
