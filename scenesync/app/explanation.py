"""Gather everything that is known about one scene: its file, its match, what differs, what was tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scenesync.app.installation import sync_options
from scenesync.app.wording.times import moment
from scenesync.domain.desired import desired_fields, shown_title
from scenesync.domain.errors import AmbiguousMatch, PermanentError, SceneSkipped, StashRefused, TransientError
from scenesync.domain.matching import beside
from scenesync.plex.exceptions import PlexNotFound
from scenesync.queue.dead_letters import LetterFilter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.app.installation import Installation
    from scenesync.domain.diff import FieldChange
    from scenesync.domain.fields import Field, FieldValue
    from scenesync.domain.job import Job
    from scenesync.domain.outcome import Attempt
    from scenesync.domain.scene import Scene
    from scenesync.worker.sync_plan import PlannedItem

ATTEMPTS_SHOWN = 10


@dataclass(slots=True)
class Explanation:
    """What is known about a scene; ``verdict`` is the one sentence that says whether it is in sync, and if not why.

    ``refused`` has the files of the same name that were not taken, each with its reason; ``left_out_by`` is the filter
    (``domain.participation.Reason``) that leaves the scene out; ``scene_ids`` are all that claim one item;
    ``conflicts`` says what persons did to its fields in Plex. ``wanted`` is what Plex should show, ``planned`` its
    items as they are, with what would be done; ``exists`` says whether Stash has it, as far as it could be asked;
    ``is_judged`` says that both servers answered.
    """

    scene_id: int
    verdict: str = ""
    takes_part: bool = True
    paths: list[str] = field(default_factory=list)
    rule: str = ""
    rating_keys: list[str] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    left_out_by: str = ""
    scene_ids: list[int] = field(default_factory=list)
    changes: list[tuple[str, FieldChange]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    exists: bool = True
    is_judged: bool = True
    title: str = ""
    server_id: str = ""
    wanted: Mapping[Field, FieldValue] = field(default_factory=dict)
    planned: Sequence[PlannedItem] = ()

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "scene_id": self.scene_id,
            "verdict": self.verdict,
            "takes_part": self.takes_part,
            "left_out_by": self.left_out_by or None,
            "paths": self.paths,
            "rule": self.rule or None,
            "rating_keys": self.rating_keys,
            "candidates": self.candidates,
            "refused": self.refused,
            "shared_with": [scene_id for scene_id in self.scene_ids if scene_id != self.scene_id],
            "changes": [
                {"rating_key": key, "field": change.field.value, "before": change.before, "after": change.after}
                for key, change in self.changes
            ],
            "conflicts": self.conflicts,
            "waiting": self.waiting,
            "dead_letters": self.dead_letters,
            "attempts": self.attempts,
        }


def explain_scene(installation: Installation, scene_id: int) -> Explanation:
    """Ask Stash, Plex and the stores about a scene. A server that does not answer is part of the explanation."""
    explanation = Explanation(scene_id)
    found = installation.queue.find(f"scene_{scene_id}")
    explanation.waiting = [
        *(f"in hand {_waiting(pending.job)}" for pending in found.running),
        *(_waiting(pending.job) for pending in found.waiting),
    ]
    explanation.dead_letters = [
        f"{letter.id}: {letter.error_type}: {letter.message} {letter.advice}".rstrip()
        for letter in installation.dead_letters.list(LetterFilter(scene_id=scene_id))
    ]
    explanation.attempts = [_attempt(attempt) for attempt in installation.attempts.latest(scene_id, ATTEMPTS_SHOWN)]
    try:
        scene = installation.stash.scenes([scene_id]).get(scene_id)
    except (TransientError, StashRefused) as error:
        explanation.verdict = f"cannot be judged, since Stash cannot be asked. {error}"
        explanation.is_judged = False
        return explanation
    if scene is None:
        explanation.verdict = "does not exist in Stash."
        explanation.takes_part = explanation.exists = False
        return explanation
    explanation.title = shown_title(scene)
    options = sync_options(installation.settings)
    explanation.wanted = desired_fields(scene, options.enabled, options.rules).values
    explanation.paths = [file.path for file in scene.files]
    _compare(installation, scene, explanation)
    return explanation


def _compare(installation: Installation, scene: Scene, explanation: Explanation) -> None:
    try:
        session = installation.session(installation.plex.identity())
        explanation.server_id = session.identity.machine_identifier
        match, planned = session.scene_sync.plan(scene)
    except AmbiguousMatch as error:
        explanation.candidates = list(error.candidates)
        explanation.refused = _refused(error.facts)
        explanation.scene_ids = list(error.scene_ids)
        why = "it shares its item" if error.scene_ids else "several Plex items fit and none is edited on a guess"
        explanation.verdict = f"is not synced, because {why}. {error} {error.advice}".rstrip()
    except PlexNotFound as error:
        explanation.refused = _refused(error.facts)
        explanation.verdict = f"waits for Plex. {error}"
    except SceneSkipped as error:
        explanation.takes_part = False
        explanation.left_out_by = error.reason
        explanation.verdict = f"does not take part. {error}"
    except (TransientError, PermanentError) as error:
        explanation.verdict = f"cannot be judged, since Plex cannot be asked. {error}"
        explanation.is_judged = False
    else:
        explanation.planned = planned
        explanation.rule = match.rule.value
        explanation.rating_keys = list(match.rating_keys)
        explanation.refused = [str(refused) for refused in beside(match, scene.files, session.index)]
        explanation.changes = [(step.edit.rating_key, change) for step in planned for change in step.edit.changes]
        explanation.conflicts = [
            f"{conflict.field.value} was {'locked' if conflict.is_lock else 'edited'} in Plex by somebody: "
            f"{'overwritten' if conflict.is_overwritten else 'kept'}"
            for step in planned
            for conflict in step.edit.conflicts
        ]
        differing = dict.fromkeys(change.field.value for _, change in explanation.changes)
        differing |= dict.fromkeys(field.value for step in planned for field in step.pictures)
        differing |= dict.fromkeys("photos" for step in planned if step.photos)
        explanation.verdict = f"differs in {', '.join(differing)}." if differing else "is in sync."


def _refused(facts: Mapping[str, Any]) -> list[str]:
    return [f"{each['rating_key']} ({each['path']}): {each['text']}" for each in facts.get("refused", ())]


def _waiting(job: Job) -> str:
    text = f"since {moment(job.get('enqueued_at') or 0.0)}"
    if job.get("retry_count"):
        text += f", failed {job['retry_count']} times, last {job.get('last_error_type')}"
        text += f", next try {moment(job['next_retry_at'])}" if job.get("next_retry_at") else ", next try now"
    return text


def _attempt(attempt: Attempt) -> str:
    text = f"{moment(attempt.started_at)} {attempt.outcome.value}"
    if attempt.changed_fields:
        text += f" {', '.join(attempt.changed_fields)}"
    return f"{text} {attempt.error_type}: {attempt.message}" if attempt.error_type else text
