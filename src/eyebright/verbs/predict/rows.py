"""The formats of `eyebright predict`: each writes one prediction at a time and remembers none."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Protocol

from eyebright.text.language import english, translate
from eyebright.text.table import pad, printable, width

if TYPE_CHECKING:
    from eyebright.types import Prediction, Skipped


class Rows(Protocol):
    """Writes predictions in one format."""

    def prediction(self, prediction: Prediction) -> None:
        """Writes one image's answer."""

    def skipped(self, skipped: Skipped) -> None:
        """Writes that an image could not be read, where the format has a place for it."""

    def end(self) -> None:
        """All images were answered."""


class TableRows:
    """Confidence, class and path; further classes stand under the likeliest.

    An unknown image is called that; its likeliest class, or a set of several classes, follows the path.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._unknown = translate("unknown")
        self._label_columns = 0

    def prediction(self, prediction: Prediction) -> None:
        """One line for each class; of several labels, one with those that are named."""
        if prediction.named is not None:
            self._several(prediction, prediction.named)
            return
        labels = [printable(label) for label in prediction.labels]
        shares = [f"{100 * probability:5.1f} %" for probability in prediction.probabilities]
        remark = self._remark(prediction, shares[0])
        if prediction.unknown:
            labels[0], shares[0] = self._unknown, " " * len(shares[0])
        self._label_columns = max(self._label_columns, *map(width, labels))
        for i, (label, share) in enumerate(zip(labels, shares, strict=True)):
            path = printable(prediction.path or "") + remark if i == 0 else ""
            self._out.write(f"{share}  {pad(label, self._label_columns)}  {path}".rstrip() + "\n")

    def _remark(self, prediction: Prediction, share: str) -> str:
        """What else the answered class might be, or what an unknown image would have been called."""
        if prediction.unknown:
            return f"  [{printable(prediction.label)} {share.strip()}]"
        if prediction.set is not None and len(prediction.set) > 1:
            return f"  {{{', '.join(printable(label) for label in prediction.set)}}}"
        return ""

    def _several(self, prediction: Prediction, named: tuple[str, ...]) -> None:
        chances = dict(zip(prediction.labels, prediction.probabilities, strict=True))
        answers = ", ".join(f"{printable(label)} {100 * chances[label]:.1f} %" for label in named) or "-"
        self._label_columns = max(self._label_columns, width(answers))
        remark = f"  [{self._unknown}]" if prediction.unknown else ""
        self._out.write(f"{pad(answers, self._label_columns)}  {printable(prediction.path or '')}{remark}\n")

    def skipped(self, skipped: Skipped) -> None:
        """Only standard error tells it."""

    def end(self) -> None:
        """Nothing is left to write."""


class CsvRows:
    """path, label, confidence; with more classes also label_2, confidence_2 and so on.

    Where an image may have several labels, label holds all that are named, and a column for each label
    follows with its probability. Of a model that tells, then come unknown (true or false), and set, a JSON
    list of classes.
    """

    def __init__(self, out: IO[str]) -> None:
        self._writer = csv.writer(out, lineterminator="\n")
        self._header = False

    def prediction(self, prediction: Prediction) -> None:
        """One row, and the header before the first."""
        known = {"unknown": prediction.unknown, "set": prediction.set}
        told = {
            name: json.dumps(value, ensure_ascii=False) for name, value in known.items() if value is not None
        }
        if prediction.named is not None:
            chances = dict(zip(prediction.labels, prediction.probabilities, strict=True))
            self._begin(1, [*(f"p({label})" for label in sorted(chances)), *told])
            answer = [prediction.path or "", prediction.label, f"{prediction.confidence:.6f}"]
            shares = (f"{chances[label]:.6f}" for label in sorted(chances))
            self._writer.writerow([*answer, *shares, *told.values()])
            return
        self._begin(len(prediction.labels), list(told))
        pairs = zip(prediction.labels, (f"{p:.6f}" for p in prediction.probabilities), strict=True)
        cells = [cell for pair in pairs for cell in pair]
        self._writer.writerow([prediction.path or "", *cells, *told.values()])

    def skipped(self, skipped: Skipped) -> None:
        """Only standard error tells it."""

    def end(self) -> None:
        """A file without rows still has its header."""
        self._begin(1)

    def _begin(self, classes: int, further: Sequence[str] = ()) -> None:
        if not self._header:
            more = (f"{name}_{i}" for i in range(2, classes + 1) for name in ("label", "confidence"))
            self._writer.writerow(["path", "label", "confidence", *more, *further])
            self._header = True


class JsonlRows:
    """One JSON object a line: path, label, confidence and top; or path and error.

    Where an image may have several labels, `labels` lists those that are named. Of a model that tells, also
    unknown, unknown_score and set.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def prediction(self, prediction: Prediction) -> None:
        """One object."""
        pairs = zip(prediction.labels, prediction.probabilities, strict=True)
        score = prediction.unknown_score
        told = {
            "unknown": prediction.unknown,
            "unknown_score": None if score is None else round(score, 6),
            "set": prediction.set,
        }
        self._write(
            {
                "path": prediction.path,
                "label": prediction.label,
                **({} if prediction.named is None else {"labels": list(prediction.named)}),
                "confidence": round(prediction.confidence, 6),
                "top": [{"label": label, "confidence": round(p, 6)} for label, p in pairs],
                **{name: value for name, value in told.items() if value is not None},
            }
        )

    def skipped(self, skipped: Skipped) -> None:
        """The reason is English, for programs to compare."""
        reason = english(skipped.reason, **skipped.reason_values)
        self._write({"path": skipped.path, "error": reason})

    def end(self) -> None:
        """Nothing is left to write."""

    def _write(self, value: dict[str, object]) -> None:
        line = json.dumps(value, ensure_ascii=False)
        try:
            line.encode()
        except UnicodeEncodeError:  # a name that is not valid text: its escape is, and reads back the same
            line = json.dumps(value)
        self._out.write(line + "\n")


def writer(name: str, out: IO[str]) -> Rows:
    """The format ``name`` (``table``, ``csv`` or ``jsonl``) on ``out``; words of the table in ``lang``."""
    if name == "table":
        return TableRows(out)
    return CsvRows(out) if name == "csv" else JsonlRows(out)
