"""What the events of labelling amount to: each person's label of an image, and the one that counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Action: TypeAlias = Literal["label", "decide", "undo"]

#: Who labelled what the folder names or the table of the data say.
GIVEN = ""


@dataclass(frozen=True)
class Event:
    """One image that was labelled, decided on, or whose label was taken back with the rest of its batch.

    Attributes:
        at: when, in ISO 8601.
        who: did it.
        batch: events of one key stroke share it; of an "undo", the batch that is taken back.
        action: what was done.
        image: the hash of the image's file.
        label: of the image; None takes it back.
    """

    at: str
    who: str
    batch: int
    action: Action
    image: str
    label: str | None


@dataclass(frozen=True)
class _Entry:
    """A label that was given and not taken back since."""

    batch: int
    who: str
    decided: bool
    label: str | None


class LabelState:
    """All labels, as the events so far make them."""

    def __init__(self) -> None:
        self.last_batch = 0
        self._entries: dict[str, list[_Entry]] = {}
        self._batches: dict[int, tuple[str, list[str]]] = {}
        self._undoable: defaultdict[str, list[int]] = defaultdict(list)

    def apply(self, event: Event) -> None:
        """Take one more event into account."""
        if event.action == "undo":
            left = [entry for entry in self._entries.get(event.image, ()) if entry.batch != event.batch]
            self._entries[event.image] = left
            who, _ = self._batches[event.batch]
            if event.batch in self._undoable[who]:
                self._undoable[who].remove(event.batch)
            return
        if event.batch not in self._batches:
            self._batches[event.batch] = (event.who, [])
            self._undoable[event.who].append(event.batch)
            self.last_batch = max(self.last_batch, event.batch)
        self._batches[event.batch][1].append(event.image)
        entry = _Entry(event.batch, event.who, event.action == "decide", event.label)
        self._entries.setdefault(event.image, []).append(entry)

    def last_undoable(self, who: str) -> int | None:
        """Return the last batch of a person that was not taken back."""
        return self._undoable[who][-1] if self._undoable[who] else None

    def images_of(self, batch: int) -> Sequence[str]:
        """Return the images of a batch."""
        return list(dict.fromkeys(self._batches[batch][1]))

    def by_person(self, image: str) -> Mapping[str, str]:
        """Return the label that each person gave an image, without those of the data and decisions."""
        found = {e.who: e.label for e in self._entries.get(image, ()) if not e.decided and e.who != GIVEN}
        return {who: label for who, label in found.items() if label is not None}

    def disputed(self, image: str) -> bool:
        """Return whether people labelled an image differently and nobody decided."""
        return self._decision(image) is None and len(set(self.by_person(image).values())) > 1

    def label(self, image: str) -> str | None:
        """Return the label that counts: the decision, else what people agree on, else that of the data.

        None where there is no label, or where people disagree.
        """
        if (decision := self._decision(image)) is not None:
            return decision
        entries = self._entries.get(image, ())
        people = set(self.by_person(image).values())
        if people:
            return people.pop() if len(people) == 1 else None
        # A person who took a label back means that of the data, too.
        last = entries[-1] if entries else None
        return None if last is None else last.label

    def labels(self) -> Iterator[tuple[str, str]]:
        """Yield images with the labels that count."""
        for image in self._entries:
            if (label := self.label(image)) is not None:
                yield image, label

    def images(self) -> Sequence[str]:
        """Return all images that anybody labelled."""
        return [image for image, entries in self._entries.items() if entries]

    def _decision(self, image: str) -> str | None:
        decisions = [entry.label for entry in self._entries.get(image, ()) if entry.decided]
        return decisions[-1] if decisions else None
