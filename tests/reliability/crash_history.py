"""What must be true of a queue, judged by the independent record alone.

Lost: an event whose storing was acknowledged, and of which neither it nor a newer one of the same key waits, is in
progress, is a dead letter, lies in the spool, or was processed. Doubled: two rows where one is allowed, or work that
comes again after it was acknowledged to be done; a claim that a kill cut short comes again by right. Broken: all else,
such as a job that comes after an event, but with the content of an older one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crash_record import Line
    from crash_snapshot import Content, Snapshot

_ENDS: Final = ("complete", "requeue", "release", "bury")
_FINAL_ENDS: Final = ("complete", "bury")


@dataclass(slots=True)
class Event:
    """One event; ``begun`` and ``done`` are places in the record, ``done`` None while not acknowledged."""

    key: str
    token: str
    writer: str
    begun: tuple[int, int]
    done: int | None = None


@dataclass(slots=True)
class Claim:
    """One job in somebody's hands, from the acknowledged claim (``done`` in the record) until it was ended."""

    writer: str
    row_id: int
    claim_no: int
    key: str
    token: str
    retry_count: int
    begun: int
    done: int
    end: str | None = None
    end_facts: dict[str, Any] = field(default_factory=dict)
    end_done: int | None = None
    lost_before_end: bool = False

    @property
    def retry_count_at_end(self) -> int:
        """The retry count that its end leaves in the row."""
        return int(self.end_facts.get("retry_count", self.retry_count))

    def is_ended_by(self, position: int) -> bool:
        """Return whether its end was acknowledged at ``position`` of the record."""
        return self.end_done is not None and self.end_done <= position

    def possible_retry_counts(self, position: int) -> set[int]:
        """Return what it may have left in its row, if all that is known at ``position`` was done."""
        return {self.retry_count_at_end} | (set() if self.is_ended_by(position) else {self.retry_count})


@dataclass(slots=True)
class Verdict:
    """What was found wrong; empty if all is well."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.broken)

    def __str__(self) -> str:
        named = (("lost", self.lost), ("doubled", self.doubled), ("broken", self.broken))
        return "\n".join(f"{name}: {text}" for name, texts in named for text in texts)


class History:
    """Takes in the lines of a record in their order, and compares a snapshot of the queue with them."""

    def __init__(self) -> None:
        self.position = 0
        self.kept = 0
        self.completed = 0
        self.runs_once_more = 0
        self.claims_cut_short = 0
        self.failed_steps: list[Line] = []
        self._events: dict[str, Event] = {}
        self._by_key: defaultdict[str, list[Event]] = defaultdict(list)
        self._begun: dict[tuple[str, int], tuple[int, Line]] = {}
        self._claims: dict[tuple[str, int, int], Claim] = {}
        self._claims_of: defaultdict[int, list[Claim]] = defaultdict(list)
        self._running: defaultdict[str, list[Claim]] = defaultdict(list)
        self._completions: defaultdict[str, list[Claim]] = defaultdict(list)
        self._completed_at: dict[str, int] = {}
        self._gone: set[str] = set()
        self._verdict = Verdict()

    def feed(self, lines: Iterable[Line]) -> None:
        """Take in further lines."""
        for line in lines:
            self.position += 1
            self._feed_one(line)

    def judge(self, snapshot: Snapshot, acknowledged_by: int) -> Verdict:
        """Return what is wrong with ``snapshot``, and what lines told already.

        ``acknowledged_by`` is the ``position`` right before the snapshot was taken. The lines written until after it
        must have been fed as well, so that what was only begun by then is known.
        """
        self._settle_completions(snapshot)
        verdict = Verdict(list(self._verdict.lost), list(self._verdict.doubled), list(self._verdict.broken))
        by_key = snapshot.by_key()
        for key in list(self._by_key):
            self._judge_events(key, by_key.get(key, []), acknowledged_by, verdict)
        self._judge_rows(snapshot, acknowledged_by, verdict)
        self._judge_retry_state(snapshot, acknowledged_by, verdict)
        verdict.broken += snapshot.structure
        return verdict

    # -- lines

    def _feed_one(self, line: Line) -> None:
        step = (line["writer"], line["step"])
        if line["op"] == "gone":
            self._note_gone(line["writer_gone"])
        elif line["op"] == "problem":
            self._verdict.broken.append(line["text"])
        elif line["phase"] == "begin":
            self._begun[step] = (self.position, line)
            self._feed_begin(line)
        elif step in self._begun:
            begun, first_line = self._begun.pop(step)
            self._feed_end({**first_line, **line}, begun)

    def _feed_begin(self, line: Line) -> None:
        if line["op"] == "put":
            self._begin_put(line)
        elif line["op"] in _ENDS:
            self._begin_end(line)

    def _feed_end(self, line: Line, begun: int) -> None:
        op, phase = line["op"], line["phase"]
        if phase == "failed":
            self.failed_steps.append(line)
        elif phase == "refused":
            self._refuse_end(line)
        elif op == "put":
            self._end_put(line)
        elif op == "claim":
            self._note_claims(line, begun)
        elif op in _ENDS:
            self._end_end(line)

    def _note_gone(self, writer: str) -> None:
        if writer not in self._gone:
            self.claims_cut_short += sum(
                claim.writer == writer and claim.end_done is None
                for claims in self._running.values()
                for claim in claims
            )
            self._gone.add(writer)

    def _begin_put(self, line: Line) -> None:
        for number, (key, token) in enumerate(line["events"]):
            event = Event(key, token, line["writer"], (self.position, number))
            self._events[token] = event
            self._by_key[key].append(event)

    def _end_put(self, line: Line) -> None:
        for _, token in line["events"]:
            self._events[token].done = self.position
            self.kept += 1

    def _note_claims(self, line: Line, begun: int) -> None:
        for row_id, claim_no, key, token, retry_count in line["jobs"]:
            claim = Claim(line["writer"], row_id, claim_no, key, token, retry_count, begun, self.position)
            what = f"row {row_id} of {key} with {token}"
            if (claim.writer, row_id, claim_no) in self._claims:
                self._verdict.doubled.append(f"{what} was claimed twice under claim {claim_no} of {claim.writer}")
            # Who is gone may have been overtaken; all others are still at it until they begin to end it.
            others = [one for one in self._running[key] if one.end is None and not self._is_gone(one)]
            if others:
                self._verdict.doubled.append(f"{what} is processed by {claim.writer} and {others[0].writer} at once")
            if self._completed_at.get(token, begun) < begun:
                self._verdict.doubled.append(f"{what} was handed out again after its completion was acknowledged")
            self._judge_retry_count_of(claim)
            self.runs_once_more += self._is_once_more(claim)
            self._claims[claim.writer, row_id, claim_no] = claim
            self._claims_of[row_id].append(claim)
            self._running[key] = [*others, claim]

    def _judge_retry_count_of(self, claim: Claim) -> None:
        for last in self._claims_of[claim.row_id][-1:]:
            allowed = last.possible_retry_counts(self.position)
            if last.token == claim.token and claim.retry_count not in allowed:
                self._verdict.broken.append(
                    f"row {claim.row_id} was claimed with retry count {claim.retry_count}, not {allowed}"
                )

    def _is_once_more(self, claim: Claim) -> bool:
        """Return whether the event of ``claim`` came while another job of its key was being processed."""
        event = self._events[claim.token]
        return any(
            one.begun < event.begun[0] < one.end_done
            for one in self._completions[claim.key][-3:]
            if one.end_done is not None
        )

    def _begin_end(self, line: Line) -> None:
        claim = self._claims.get((line["writer"], line["row"], line["claim_no"]))
        if claim is None:
            self._verdict.broken.append(f"the record knows no claim for {line}")
            return
        claim.lost_before_end = self._claims_of[claim.row_id][-1] is not claim
        claim.end, claim.end_facts, claim.end_done = line["op"], line, None
        if claim.end == "complete":
            self._completions[claim.key].append(claim)

    def _end_end(self, line: Line) -> None:
        claim = self._claims[line["writer"], line["row"], line["claim_no"]]
        was_seen_done, claim.end_done = claim.end_done is not None, self.position
        if claim.lost_before_end:
            self._verdict.broken.append(f"{claim.writer} could {claim.end} row {claim.row_id} after it had lost it")
        if claim.end == "complete":
            self.completed += 1
            if claim.token in self._completed_at and not was_seen_done:
                self._verdict.doubled.append(f"{claim.token} was completed twice")
            self._completed_at[claim.token] = self.position

    def _is_gone(self, claim: Claim) -> bool:
        """Return whether the holder of the claim is dead or gave up; a "/" names a part of a process."""
        return claim.writer in self._gone or claim.writer.partition("/")[0] in self._gone

    def _refuse_end(self, line: Line) -> None:
        claim = self._claims[line["writer"], line["row"], line["claim_no"]]
        if claim in self._completions[claim.key]:
            self._completions[claim.key].remove(claim)

    # -- judgements

    def _settle_completions(self, snapshot: Snapshot) -> None:
        """Find out what became of completions that a kill or a fault cut short: done if the row says so, else never."""
        for key, claims in self._completions.items():
            for claim in claims:
                if claim.end_done is None and claim.row_id in snapshot.completed_rows:
                    claim.end_done = self._completed_at[claim.token] = self.position
            self._completions[key] = [one for one in claims if one.end_done is not None or not self._is_gone(one)]

    def _judge_events(self, key: str, contents: list[Content], acknowledged_by: int, verdict: Verdict) -> None:
        kept = [event for event in self._by_key[key] if event.done is not None and event.done <= acknowledged_by]
        newest = _newest(kept)
        for event in newest:
            if self._is_processed(event) or any(self._stands_for(content.token, event) for content in contents):
                continue
            found = ", ".join(f"{one.place}: {one.token}" for one in contents) or "nothing"
            is_looked_at = self._is_looked_at(event, contents)
            (verdict.broken if is_looked_at else verdict.lost).append(
                f"{event.token} of {key} was acknowledged; the queue has {found}"
            )
        if len(kept) > len(newest) + 50:  # what a newer acknowledged event replaced needs no more looks
            self._by_key[key] = [event for event in self._by_key[key] if event in newest or event not in kept]

    def _is_looked_at(self, event: Event, contents: list[Content]) -> bool:
        """Return whether some job of the key waits, or was claimed since: not lost, but with an older content."""
        rows = {one.row_id for one in contents if one.place == "claimed"}
        claims = [*self._completions[event.key], *(claim for row in rows for claim in self._claims_of[row][-1:])]
        return any(one.place in {"waiting", "spool"} for one in contents) or any(
            claim.begun > (event.done or 0) for claim in claims
        )

    def _is_processed(self, event: Event) -> bool:
        """Return whether a run that may have been completed was claimed with this event in it, or a newer one."""
        return any(self._stands_for(claim.token, event) for claim in self._completions[event.key])

    def _stands_for(self, token: str | None, event: Event) -> bool:
        content = self._events.get(token or "")
        return content is not None and not _is_older(content, event)

    def _judge_rows(self, snapshot: Snapshot, acknowledged_by: int, verdict: Verdict) -> None:
        seen: defaultdict[str | None, list[Content]] = defaultdict(list)
        for content in (*snapshot.rows, *snapshot.letters):
            seen[content.token].append(content)
        verdict.doubled += [f"{token} is in {places}" for token, places in seen.items() if len(places) > 1]
        for place in ("waiting", "claimed"):
            keys = [row.key for row in snapshot.rows if row.place == place]
            verdict.doubled += [f"{key} is {place} twice" for key in {key for key in keys if keys.count(key) > 1}]
        for row in snapshot.rows:
            if self._completed_at.get(row.token or "", acknowledged_by + 1) <= acknowledged_by:
                verdict.doubled.append(f"{row.token} is {row.place} after its completion was acknowledged")
            ends = {claim.end for claim in self._claims_of[row.row_id] if claim.is_ended_by(acknowledged_by)}
            verdict.doubled += [
                f"row {row.row_id} is {row.place} after {end} was acknowledged" for end in _FINAL_ENDS if end in ends
            ]

    def _judge_retry_state(self, snapshot: Snapshot, acknowledged_by: int, verdict: Verdict) -> None:
        for row in snapshot.rows:
            allowed = self._possible_retry_counts(row, acknowledged_by)
            if row.place == "waiting" and allowed and row.retry_count not in allowed:
                verdict.broken.append(f"row {row.row_id} has retry count {row.retry_count}, not {allowed}")

    def _possible_retry_counts(self, row: Content, acknowledged_by: int) -> set[int]:
        """Return what the steps on ``row`` may have left in it; nothing if no claim of its content is known.

        Processes go on while the snapshot is taken and read: it shows the row as the last claim known by
        ``acknowledged_by`` left it, or as it was before or after any claim that was noted since. That each of these
        began with what the one before it had left was seen when it was noted.
        """
        claims = self._claims_of[row.row_id]
        known = [claim for claim in claims if claim.done <= acknowledged_by]
        since = claims[len(known) :]
        possible = [claim.possible_retry_counts(acknowledged_by) for claim in known[-1:] if claim.token == row.token]
        possible += [{claim.retry_count, claim.retry_count_at_end} for claim in since if claim.token == row.token]
        return set().union(*possible)


def _is_older(one: Event, other: Event) -> bool:
    """Return whether ``one`` certainly came before ``other``: acknowledged before, or by the same process before."""
    if one.writer == other.writer:
        return one.begun < other.begun
    return one.done is not None and one.done < other.begun[0]


def _newest(events: list[Event]) -> list[Event]:
    """Return the events that no other of them certainly came after."""
    last_of: dict[str, Event] = {}
    for event in events:
        last = last_of.get(event.writer, event)
        last_of[event.writer] = max(last, event, key=lambda one: one.begun)
    candidates = list(last_of.values())
    return [event for event in candidates if not any(_is_older(event, other) for other in candidates)]
