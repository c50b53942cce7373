"""Which names are shown, under which name, and how many: the filters and maps of tags and performers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_REGEX: Final = re.compile(r"/(.+)/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A pattern for names, whatever their capitals: a glob for the whole name, or a regular expression for a part."""

    text: str
    is_regex: bool
    compiled: re.Pattern[str]

    def fits(self, name: str) -> bool:
        """Say whether the name is meant."""
        return self.compiled.search(name) is not None


@dataclass(frozen=True, slots=True)
class RenameRule:
    r"""What names of a pattern are called instead; with a regular expression, ``\1`` stands for its first group."""

    pattern: NamePattern
    name: str

    def renamed(self, name: str) -> str | None:
        """Return the new name, None if the rule is not about this one."""
        found = self.pattern.compiled.search(name)
        if found is None:
            return None
        return self.pattern.compiled.sub(self.name, name, count=1) if self.pattern.is_regex else self.name


@dataclass(frozen=True, slots=True)
class NameRules:
    """Which names of a list are shown: some included (none given: all), some excluded, some renamed, at most so many.

    ``maximum`` 0 means no limit. Include and exclude are about the names as Stash has them, and exclude wins.
    """

    include: tuple[NamePattern, ...] = ()
    exclude: tuple[NamePattern, ...] = ()
    rename: tuple[RenameRule, ...] = ()
    maximum: int = 0

    @property
    def leave_all_as_they_are(self) -> bool:
        """Whether every name is shown, and under its own: so it is for nearly everybody."""
        return not (self.include or self.exclude or self.rename)

    def shows(self, name: str) -> bool:
        """Say whether the name takes part."""
        if any_fits(self.exclude, name):
            return False
        return not self.include or any_fits(self.include, name)

    def renamed(self, name: str) -> str:
        """Return what the name is called in Plex: the first rule that is about it decides."""
        for rule in self.rename:
            new = rule.renamed(name)
            if new is not None:
                return new
        return name


def name_pattern(text: str) -> NamePattern:
    """Return the pattern that ``text`` means: ``/.../`` a regular expression, else a glob with ``*`` and ``?``.

    Raises ValueError with a reason in words.
    """
    found = _REGEX.fullmatch(text)
    if found is None and text.startswith("/"):
        raise ValueError(f"{text} begins like a regular expression and does not end with /")
    if not text:
        raise ValueError("a pattern is empty")
    try:
        return NamePattern(text, found is not None, re.compile(found[1] if found else _of_glob(text), re.IGNORECASE))
    except re.error as error:
        raise ValueError(f"{text} is no regular expression ({error})") from None


def rename_rule(pattern: str, name: str) -> RenameRule:
    """Return the rule. Raises ValueError with a reason in words."""
    rule = RenameRule(name_pattern(pattern), name)
    if rule.pattern.is_regex:
        try:
            rule.pattern.compiled.sub(name, "")
        except (re.error, IndexError) as error:
            raise ValueError(f"{name} names a group that {pattern} does not have ({error})") from None
    return rule


def any_fits(patterns: Sequence[NamePattern], name: str) -> bool:
    """Say whether one of the patterns fits."""
    return bool(patterns) and any(pattern.fits(name) for pattern in patterns)  # mostly there are none


def _of_glob(text: str) -> str:
    # Brackets stand for themselves: tags have them in their names.
    return r"\A" + "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in text) + r"\Z"
