"""The formats of `eyebright predict`: each writes one prediction at a time and keeps none."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Protocol

from eyebright.text.language import english, translate
from eyebright.text.table import json_text, pad, printable, printable_lines, width

if TYPE_CHECKING:
    from eyebright.types import Prediction, Skipped


class Rows(Protocol):
    """Writer of predictions in one format."""

    def prediction(self, prediction: Prediction) -> None:
        """Write the prediction of one image."""

    def skipped(self, skipped: Skipped) -> None:
        """Write that an image could not be read, where the format has a place for it."""

    def end(self) -> None:
        """Finish after the last image."""


class TableRows:
    """Aligned confidence, class and path; further classes stand below the most probable.

    An unknown image has no class; its most probable one, or a prediction set of several, follows the path.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._unknown = translate("unknown")
        self._label_columns = 0

    def prediction(self, prediction: Prediction) -> None:
        """Write a line for each class; of a multi-label prediction, one with the predicted labels."""
        if prediction.named is not None:
            self._multi_label(prediction, prediction.named)
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
        """Return the prediction set, or the most probable class of an unknown image."""
        if prediction.unknown:
            return f"  [{printable(prediction.label)} {share.strip()}]"
        if prediction.set is not None and len(prediction.set) > 1:
            return f"  {{{', '.join(printable(label) for label in prediction.set)}}}"
        return ""

    def _multi_label(self, prediction: Prediction, named: tuple[str, ...]) -> None:
        probabilities = dict(zip(prediction.labels, prediction.probabilities, strict=True))
        labels = ", ".join(f"{printable(label)} {100 * probabilities[label]:.1f} %" for label in named) or "-"
        self._label_columns = max(self._label_columns, width(labels))
        remark = f"  [{self._unknown}]" if prediction.unknown else ""
        self._out.write(f"{pad(labels, self._label_columns)}  {printable(prediction.path or '')}{remark}\n")

    def skipped(self, skipped: Skipped) -> None:
        """Write nothing: standard error reports it."""

    def end(self) -> None:
        """Write nothing more."""


class CsvRows:
    """CSV of path, label, confidence; with more classes also label_2, confidence_2 and so on.

    Of a multi-label model, label holds all predicted labels, and a column for each label follows with its
    probability. Then come, where the model has them, unknown (true or false), set, a JSON list of classes,
    and anomaly_score.
    """

    def __init__(self, out: IO[str]) -> None:
        self._writer = csv.writer(_Shown(out) if out.isatty() else out, lineterminator="\n")
        self._header = False

    def prediction(self, prediction: Prediction) -> None:
        """Write a row, and the header before the first."""
        optional = {
            "unknown": prediction.unknown,
            "set": prediction.set,
            "anomaly_score": _rounded(prediction.anomaly_score),
        }
        given = {
            name: json.dumps(value, ensure_ascii=False)
            for name, value in optional.items()
            if value is not None
        }
        if prediction.named is not None:
            probabilities = dict(zip(prediction.labels, prediction.probabilities, strict=True))
            self._begin(1, [*(f"p({label})" for label in sorted(probabilities)), *given])
            first = [prediction.path or "", prediction.label, f"{prediction.confidence:.6f}"]
            shares = (f"{probabilities[label]:.6f}" for label in sorted(probabilities))
            self._writer.writerow([*first, *shares, *given.values()])
            return
        self._begin(len(prediction.labels), list(given))
        pairs = zip(prediction.labels, (f"{p:.6f}" for p in prediction.probabilities), strict=True)
        cells = [cell for pair in pairs for cell in pair]
        self._writer.writerow([prediction.path or "", *cells, *given.values()])

    def skipped(self, skipped: Skipped) -> None:
        """Write nothing: standard error reports it."""

    def end(self) -> None:
        """Write the header of a file without rows."""
        self._begin(1)

    def _begin(self, classes: int, further: Sequence[str] = ()) -> None:
        if not self._header:
            more = (f"{name}_{i}" for i in range(2, classes + 1) for name in ("label", "confidence"))
            self._writer.writerow(["path", "label", "confidence", *more, *further])
            self._header = True


class _Shown:
    """A terminal, on which the names in rows are shown; elsewhere they are read back, as they are."""

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal

    def write(self, row: str) -> int:
        """Write a row with its control characters written out."""
        return self._terminal.write(printable_lines(row))


class JsonlRows:
    """One JSON object a line: path, label, confidence and top; or path and error.

    Of a multi-label model, `labels` lists those predicted; unknown, unknown_score, set and anomaly_score
    where it has them.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def prediction(self, prediction: Prediction) -> None:
        """Write an object."""
        pairs = zip(prediction.labels, prediction.probabilities, strict=True)
        optional = {
            "unknown": prediction.unknown,
            "unknown_score": _rounded(prediction.unknown_score),
            "set": prediction.set,
            "anomaly_score": _rounded(prediction.anomaly_score),
        }
        self._write(
            {
                "path": prediction.path,
                "label": prediction.label,
                **({} if prediction.named is None else {"labels": list(prediction.named)}),
                "confidence": round(prediction.confidence, 6),
                "top": [{"label": label, "confidence": round(p, 6)} for label, p in pairs],
                **{name: value for name, value in optional.items() if value is not None},
            }
        )

    def skipped(self, skipped: Skipped) -> None:
        """Write the reason in English, for programs to compare."""
        reason = english(skipped.reason, **skipped.reason_values)
        self._write({"path": skipped.path, "error": reason})

    def end(self) -> None:
        """Write nothing more."""

    def _write(self, value: dict[str, object]) -> None:
        self._out.write(json_text(value) + "\n")


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)


def writer(name: str, out: IO[str]) -> Rows:
    """Return the writer of the format ``name`` (``table``, ``csv`` or ``jsonl``) to ``out``."""
    if name == "table":
        return TableRows(out)
    return CsvRows(out) if name == "csv" else JsonlRows(out)
