"""What Prometheus reads: counters and histograms of requests and answers, in its text format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from threading import Lock

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SHARES = tuple(i / 10 for i in range(1, 11))

#: A series: its labels in the order in which they are written.
Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number by labels that only grows.

    Args:
        name: ends with `_total`.
        text: what it counts, one English sentence.
    """

    kind = "counter"

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._values: dict[Labels, float] = defaultdict(float)
        self._lock = Lock()

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count ``amount`` more."""
        with self._lock:
            self._values[tuple(labels.items())] += amount

    def lines(self) -> Iterator[str]:
        """Yield the samples."""
        for labels, value in sorted(self._copy().items()):
            yield sample(self.name, labels, value)

    def _copy(self) -> dict[Labels, float]:
        with self._lock:
            return dict(self._values)


class Histogram:
    """How often values were below each of a few limits.

    Args:
        name: with its unit.
        text: what is measured, one English sentence.
        limits: in rising order.
    """

    kind = "histogram"

    def __init__(self, name: str, text: str, limits: tuple[float, ...] = _SECONDS) -> None:
        self.name, self.text = name, text
        self._limits = limits
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = defaultdict(float)
        self._lock = Lock()

    def add(self, value: float, **labels: str) -> None:
        """Count a value."""
        key = tuple(labels.items())
        with self._lock:
            counts = self._counts.setdefault(key, [0] * (len(self._limits) + 1))
            counts[next((i for i, limit in enumerate(self._limits) if value <= limit), -1)] += 1
            self._sums[key] += value

    def lines(self) -> Iterator[str]:
        """Yield the samples, cumulated as Prometheus wants them."""
        with self._lock:
            series = sorted((key, list(counts), self._sums[key]) for key, counts in self._counts.items())
        for labels, counts, total in series:
            below = 0
            for limit, count in zip((*map(str, self._limits), "+Inf"), counts, strict=True):
                below += count
                yield sample(f"{self.name}_bucket", (*labels, ("le", limit)), below)
            yield sample(f"{self.name}_sum", labels, total)
            yield sample(f"{self.name}_count", labels, below)


class ServiceMetrics:
    """All counters and histograms of a service."""

    def __init__(self) -> None:
        self.requests = Counter("eyebright_requests_total", "Requests by route and status.")
        self.duration = Histogram(
            "eyebright_request_duration_seconds", "Time from a request's head to the end of its answer."
        )
        self.inference = Histogram(
            "eyebright_inference_duration_seconds", "Time to decode an image and run the model on it."
        )
        self.predictions = Counter("eyebright_predictions_total", "Answered images by predicted class.")
        self.unknown = Counter("eyebright_unknown_total", "Answered images unlike the training images.")
        self.confidence = Histogram("eyebright_confidence", "Probability of the predicted class.", _SHARES)

    def text(self, gauges: Iterable[tuple[str, str, Labels, float]]) -> str:
        """Return everything in Prometheus's text format.

        Args:
            gauges: name, English sentence, labels and value of what is read at this moment; those of one name
                follow each other.
        """
        lines: list[str] = []
        for metric in (
            self.requests,
            self.duration,
            self.inference,
            self.predictions,
            self.unknown,
            self.confidence,
        ):
            lines += [f"# HELP {metric.name} {metric.text}", f"# TYPE {metric.name} {metric.kind}"]
            lines += metric.lines()
        told = ""
        for name, text, labels, value in gauges:
            if name != told:
                lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
                told = name
            lines.append(sample(name, labels, value))
        return "\n".join(lines) + "\n"


def labelled(values: Mapping[str, str]) -> Labels:
    """Return labels in the form of a series."""
    return tuple(values.items())


def sample(name: str, labels: Labels, value: float) -> str:
    """Return one line: a name, its labels and its value."""
    inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{inner}}} {value:.10g}" if inner else f"{name} {value:.10g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
