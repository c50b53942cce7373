"""The vocabulary of the sample library: invented, inoffensive, and awkward in the ways that real titles are."""

from __future__ import annotations

from typing import Final

FOLDERS: Final = ("Concerts", "Films", "Travel", "Travel/Islands", "Concerts/Summer Tour", "Films/Short & Sweet")
EXTENSIONS: Final = ("mp4", "mkv", "webm", "m4v")

PLACES: Final = (
    "Harbour",
    "Island",
    "Northern",
    "Old Town",
    "Valley",
    "Lighthouse",
    "Café",
    "Märkisch",
    "Riverside",
    "Station",
    "Pier",
    "Garden",
    "Mountain",
    "Coastal",
)
THINGS: Final = (
    "Lights",
    "Ferries",
    "Roads",
    "Night Train",
    "Encore",
    "Rehearsal",
    "Postcards",
    "Überfahrt",
    "Serenade",
    "Workshop",
    "Sunrise",
    "Bridges",
    "Market",
    "Orchestra",
)
TITLES: Final = (
    "{place} {thing}",
    "{place} {thing}, Part {number}",
    "{place} & {thing} ({number})",
    'The "{thing}" of {place}',
    "{place}: {thing} \u2013 Live",
    "{thing} ✨ {place} 🎻",
    "Tom's {place} {thing}",
    "{place} <{thing}>",
    "100 % {thing} / {place}",
    "日本の旅: {place} {thing}",
    "👩\u200d🚀 {place} {thing} #{number}",
)
SENTENCES: Final = (
    "The first ferry leaves before the fog does.",
    "A brass band rehearses under the bridge, badly at first.",
    "Nobody remembers who painted the lighthouse yellow.",
    "Recorded in one take on a windy evening.",
    "Three friends, two bicycles & one map < 1:50,000.",
    'The conductor says "once more", and means it.',
    "In the café they still write the bill by hand \u2013 in ink.",
    "Snow closes the pass; the train goes on.",
    "The audience sings the last chorus alone.",
    "With subtitles; ça va sans dire.",
    "An hour of rails, rain and reflections. 🚆",
    "The garden opens at noon and the bees are early.",
)
FIRST_NAMES: Final = (
    "Ada",
    "Björn",
    "Chiara",
    "Dmitri",
    "Emeka",
    "Fatima",
    "Grace",
    "Hana",
    "Iñigo",
    "Jun",
    "Katrín",
    "Leo",
    "Mira",
    "Noor",
    "Otto",
    "Priya",
    "Quentin",
    "Rosa",
    "Sam",
    "Tove",
)
LAST_NAMES: Final = (
    "Sample",
    "Example",
    "Harbourne",
    "O'Field",
    "Winter-Lane",
    "Okonkwo",
    "Lindqvist",
    "Moreau",
    "Sato",
    "van der Berg",
    "Ferry",
    "Novák",
)
CALLINGS: Final = ("cellist", "travel writer", "actor", "pianist")
OWNERS: Final = ("Example Films", "Lantern Group")
STUDIOS: Final = ("Pier Records", "Quiet Roads", "Rails & Rivers", "Studio Överallt", "Blue Door", "North, by Train")
TAGS: Final = (
    "Live",
    "Travel",
    "Concert",
    "Black & White",
    "Short Film",
    "Documentary",
    "Trains",
    "Islands",
    "Acoustic",
    "Rock 'n' Roll",
    "Winter",
    "Interview, long",
    "Café",
    "Award: Golden Postcard",
    "4K",
    "Silent",
)
GROUPS: Final = ("Summer Tour", "Postcards from the North", "Evenings at the Pier")
