"""Awkward cases of matching, one a line: what Stash has, what Plex has, and which rule must find it, if any.

A case is (what it is about, Stash's files, Plex's files, path_map, answer). A file is (path, bytes, seconds) on Stash's
side and (item, path, bytes, seconds) on Plex's; bytes and seconds may be left out. The answer is "RULE item item…",
"ambiguous by RULE", or "none".
"""

from __future__ import annotations

from typing import Final

E_ACUTE, E_AND_ACUTE = "\u00e9", "e\u0301"
HANGUL, JAMO = "\ud55c", "\u1112\u1161\u11ab"
MAP: Final = ("/data => /media",)
WIN: Final = ("/data => D:\\Media",)
UNC: Final = ("/data => \\\\nas\\media",)

# fmt: off
CASES: Final = (
    # --- the exact path --------------------------------------------------------------------------------------------
    ("same mounts", [("/data/s/a.mp4",)], [("1", "/data/s/a.mp4")], (), "path 1"),
    ("other mount, mapped", [("/data/s/a.mp4",)], [("1", "/media/s/a.mp4")], MAP, "path 1"),
    ("trailing slash in the map", [("/data/a.mp4",)], [("1", "/media/a.mp4")], ("/data/ => /media/",), "path 1"),
    ("the longest prefix wins", [("/data/uhd/a.mp4",)], [("1", "/media/uhd/a.mp4"), ("2", "/fast/a.mp4")],
     ("/data => /media", "/data/uhd => /fast"), "path 2"),
    ("half a segment is no prefix", [("/data2/a.mp4",)], [("1", "/media2/a.mp4")], MAP, "none"),
    ("the root is mapped", [("/s/a.mp4",)], [("1", "/mnt/nas/s/a.mp4")], ("/ => /mnt/nas",), "path 1"),
    ("mapped to the root", [("/data/s/a.mp4",)], [("1", "/s/a.mp4")], ("/data => /",), "path 1"),
    ("a link in Stash, its target in Plex", [("/stash/link/a.mp4",)], [("1", "/volume1/real/a.mp4")],
     ("/stash/link => /volume1/real",), "path 1"),
    ("two binds of one disk", [("/bind1/a.mp4",), ("/bind2/b.mp4",)], [("1", "/disk/a.mp4"), ("2", "/disk/b.mp4")],
     ("/bind1 => /disk", "/bind2 => /disk"), "path 1 2"),
    ("doubled separators", [("/data//s///a.mp4",)], [("1", "/data/s/a.mp4")], (), "path 1"),
    ("a dot segment", [("/data/./s/a.mp4",)], [("1", "/data/s/a.mp4")], (), "path 1"),
    ("one file in two libraries", [("/data/a.mp4",)], [("1", "/data/a.mp4"), ("2@2", "/data/a.mp4")], (), "path 1 2"),
    ("two versions of one item", [("/data/hd.mp4",), ("/data/uhd.mp4",)],
     [("1", "/data/hd.mp4"), ("1", "/data/uhd.mp4")], (), "path 1"),
    ("only the second file is in Plex", [("/data/gone.mp4",), ("/data/b.mp4",)], [("1", "/data/b.mp4")], (), "path 1"),
    ("two parts, cd1 and cd2", [("/data/f cd1.avi",), ("/data/f cd2.avi",)],
     [("1", "/data/f cd1.avi"), ("1", "/data/f cd2.avi")], (), "path 1"),
    ("the size changed after an encode in place", [("/data/a.mp4", 10)], [("1", "/data/a.mp4", 99)], (), "path 1"),
    ("the exact path, and a better looking copy", [("/data/s/a.mp4", 7, 60)],
     [("1", "/data/s/a.mp4", 1, 1), ("2", "/other/s/a.mp4", 7, 60)], (), "path 1"),
    ("a very long path", [("/data/" + "d/" * 200 + "a.mp4",)], [("1", "/data/" + "d/" * 200 + "a.mp4")], (), "path 1"),

    # --- Windows ---------------------------------------------------------------------------------------------------
    ("Plex on Windows", [("/data/s/a.mp4",)], [("1", "D:\\Media\\s\\a.mp4")], WIN, "path 1"),
    ("with the long prefix", [("/data/s/a.mp4",)], [("1", "\\\\?\\D:\\Media\\s\\a.mp4")], WIN, "path 1"),
    ("with slashes", [("/data/s/a.mp4",)], [("1", "D:/Media/s/a.mp4")], WIN, "path 1"),
    ("in other capitals", [("/data/S/A.mp4",)], [("1", "d:\\media\\s\\a.MP4")], WIN, "path 1"),
    ("a share", [("/data/s/a.mp4",)], [("1", "\\\\NAS\\Media\\s\\a.mp4")], UNC, "path 1"),
    ("a share with the long prefix", [("/data/s/a.mp4",)], [("1", "\\\\?\\UNC\\nas\\media\\s\\a.mp4")], UNC, "path 1"),
    ("both on Windows, other drives", [("E:\\v\\a.mp4",)], [("1", "D:\\Media\\a.mp4")], ("e:/V => D:\\Media",),
     "path 1"),
    ("Stash on Windows, Plex on Linux", [("E:\\v\\s\\a.mp4",)], [("1", "/media/s/a.mp4")], ("E:\\v => /media",),
     "path 1"),
    ("the drive itself is mapped", [("E:\\s\\a.mp4",)], [("1", "/media/s/a.mp4")], ("E:\\ => /media",), "path 1"),
    ("other capitals and another size", [("/data/s/A.mp4", 5)], [("1", "D:\\Media\\s\\a.mp4", 6)], WIN, "none"),
    ("a sharp s is no double s", [("/data/ma\u00dfe.mp4", 5)], [("1", "D:\\Media\\MASSE.mp4", 6)], WIN, "none"),
    ("both spellings exist on a case-sensitive share", [("/data/A.mp4",)],
     [("1", "\\\\nas\\media\\a.mp4"), ("2", "\\\\nas\\media\\A.mp4")], UNC, "path 2"),
    ("two libraries spell one folder differently", [("/data/a.mp4",)],
     [("1", "D:\\Media\\a.mp4"), ("2@2", "d:\\MEDIA\\a.mp4")], WIN, "path 1 2"),

    # --- macOS -----------------------------------------------------------------------------------------------------
    ("a macOS share in other capitals", [("/Volumes/Films/A.mp4",)], [("1", "/Volumes/films/a.mp4")], (), "path 1"),
    ("a macOS server reports decomposed letters", [(f"/data/caf{E_ACUTE}.mp4",)],
     [("1", f"/Volumes/x/caf{E_AND_ACUTE}.mp4")], ("/data => /Volumes/x",), "path 1"),

    # --- Unicode, case, odd characters -------------------------------------------------------------------------------
    ("composed and decomposed", [(f"/data/caf{E_ACUTE}.mp4",)], [("1", f"/data/caf{E_AND_ACUTE}.mp4")], (), "path 1"),
    ("decomposed and composed", [(f"/data/caf{E_AND_ACUTE}.mp4",)], [("1", f"/data/caf{E_ACUTE}.mp4")], (), "path 1"),
    ("Hangul in pieces", [(f"/data/{HANGUL}.mp4",)], [("1", f"/data/{JAMO}.mp4")], (), "path 1"),
    ("composed in the map, decomposed in the path", [(f"/caf{E_AND_ACUTE}/a.mp4",)], [("1", "/media/a.mp4")],
     (f"/caf{E_ACUTE} => /media",), "path 1"),
    ("case counts on Linux", [("/data/A.mp4", 5)], [("1", "/data/a.mp4", 5)], (), "none"),
    ("two that differ in case alone", [("/data/A.mp4",)], [("1", "/data/a.mp4"), ("2", "/data/A.mp4")], (), "path 2"),
    ("a percent sign", [("/data/100% real.mp4",)], [("1", "/data/100% real.mp4")], (), "path 1"),
    ("what looks like an escape", [("/data/a%20b.mp4", 5)], [("1", "/data/a b.mp4", 5)], (), "none"),
    ("a number sign", [("/data/take #2.mp4",)], [("1", "/data/take #2.mp4"), ("2", "/data/take ")], (), "path 1"),
    ("an ampersand", [("/data/you & me.mp4",)], [("1", "/data/you & me.mp4"), ("2", "/data/you ")], (), "path 1"),
    ("a question mark and an equals sign", [("/data/a?b=c.mp4",)], [("1", "/data/a?b=c.mp4")], (), "path 1"),
    ("a plus sign is no blank", [("/data/a+b.mp4", 5)], [("1", "/data/a b.mp4", 5)], (), "none"),
    ("a comma", [("/data/one, two.mp4",)], [("1", "/data/one, two.mp4")], (), "path 1"),
    ("quotes", [("/data/it's \"so\".mp4",)], [("1", "/data/it's \"so\".mp4")], (), "path 1"),
    ("an emoji with its variant selector", [("/data/beach \U0001f3d6\ufe0f.mp4",)],
     [("1", "/data/beach \U0001f3d6\ufe0f.mp4"), ("2", "/data/beach \U0001f3d6.mp4")], (), "path 1"),
    ("a trailing blank", [("/data/a.mp4 ",)], [("1", "/data/a.mp4"), ("2", "/data/a.mp4 ")], (), "path 2"),
    ("a trailing blank of a folder", [("/data/s /a.mp4", 5)], [("1", "/data/s/a.mp4", 6)], (), "none"),
    ("a backslash in a Linux name", [("/data/AC\\DC.mp4",)], [("1", "/data/AC\\DC.mp4"), ("2", "/x/DC.mp4")], (),
     "path 1"),
    ("SQL wildcards", [("/data/100%_a.mp4",)], [("1", "/data/100%_a.mp4"), ("2", "/data/100xya.mp4")], (), "path 1"),
    ("a line break in the name", [("/data/a\nb.mp4",)], [("1", "/data/a\nb.mp4")], (), "path 1"),
    ("no extension", [("/data/film",)], [("1", "/data/film")], (), "path 1"),
    ("a hidden file", [("/data/.a.mp4", 5)], [("1", "/data/a.mp4", 5)], (), "none"),

    # --- without a map ----------------------------------------------------------------------------------------------
    ("folder, name and size", [("/data/s/a.mp4", 7)], [("1", "/mnt/s/a.mp4", 7)], (), "suffix 1"),
    ("across systems", [("/data/S/a.mp4", 7)], [("1", "D:\\Media\\s\\A.mp4", 7)], (), "suffix 1"),
    ("folder and size decide between namesakes", [("/data/s/01.mp4", 7)],
     [("1", "/mnt/t/01.mp4", 7), ("2", "/mnt/s/01.mp4", 7)], (), "suffix 2"),
    ("two equal ends", [("/data/s/a.mp4", 7)], [("1", "/m/s/a.mp4", 7), ("2", "/n/s/a.mp4", 7)], (),
     "ambiguous by suffix"),
    ("another folder, same size", [("/data/s/a.mp4", 7)], [("1", "/mnt/t/a.mp4", 7)], (), "name_size 1"),
    ("two of name and size", [("/data/s/a.mp4", 7)], [("1", "/m/t/a.mp4", 7), ("2", "/m/u/a.mp4", 7)], (),
     "ambiguous by name_size"),
    ("sizes unknown, durations near", [("/data/s/a.mp4", None, 60)], [("1", "/m/t/a.mp4", 7, 60.9)], (),
     "name_duration 1"),
    ("durations near, sizes differ", [("/data/s/a.mp4", 8, 60)], [("1", "/m/t/a.mp4", 7, 60)], (), "none"),
    ("durations apart", [("/data/s/a.mp4", None, 60)], [("1", "/m/t/a.mp4", None, 61.1)], (), "none"),
    ("empty files are all alike", [("/data/s/a.mp4", 0)], [("1", "/m/s/a.mp4", 0)], (), "none"),
    ("only the name", [("/data/s/01.mp4",)], [("1", "/data/t/01.mp4")], (), "none"),
    ("not analysed by Plex yet", [("/data/s/a.mp4", 7, 60)], [("1", "/m/s/a.mp4")], (), "none"),
    ("a namesake of another studio", [("/data/StudioB/01.mp4", 7, 60)], [("1", "/data/StudioA/01.mp4", 9, 80)], (),
     "none"),
    ("a map that leads elsewhere does no harm", [("/data/s/a.mp4", 7)], [("1", "/mnt/s/a.mp4", 7)],
     ("/data => /wrong",), "suffix 1"),
    ("nothing in Plex", [("/data/a.mp4", 7)], [], (), "none"),
)
# fmt: on
