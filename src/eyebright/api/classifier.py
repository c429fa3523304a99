"""A classifier of images that keeps scikit-learn's contract, of which no package is needed here."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import onnx

from eyebright.api import train
from eyebright.api.keywords import StrPath
from eyebright.backbones import embedded
from eyebright.data.writing.in_memory import write_image
from eyebright.errors import ConfigError, DataError
from eyebright.runs.run import Run
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import InMemoryModel
from eyebright.types import FloatArray, Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable

_PIXELS = 3  # dimensions of an array that is one image, or of grey images


class EyebrightClassifier:
    """Images to classes, for `cross_val_score`, `GridSearchCV`, `Pipeline` and the like.

    Frozen features are cached by the images' content, so that every further fit on the same images, as a
    search makes them, computes no feature anew.

    Args:
        backbone: as for `eyebright train`.
        size: of the images in pixels, or "auto".
        layers: "auto", "texture", "stages" or "all".
        finetune: "off", "last", "full" or "auto".
        folds: of the cross-validation in :meth:`fit` that the metrics come from, while the model learns from
            all images. Fine-tuning holds out a validation part instead.
        seed: of everything that is drawn.
        out: directory to keep the run in, which `run_` then is; None keeps the sealed model alone, in memory.
        options: further options of :func:`eyebright.train`, by name.

    Attributes:
        classes_: (K,) the labels, sorted.
        metrics_: of the run, on images that its models did not learn from.
        run_: the run; None without ``out``.
    """

    classes_: Any
    metrics_: Mapping[str, Any]
    run_: Run | None

    def __init__(
        self,
        *,
        backbone: str = embedded.NAME,
        size: int | str = "auto",
        layers: str = "auto",
        finetune: str = "off",
        folds: int = 3,
        seed: int = 0,
        out: StrPath | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.backbone = backbone
        self.size = size
        self.layers = layers
        self.finetune = finetune
        self.folds = folds
        self.seed = seed
        self.out = out
        self.options = options

    # ---- scikit-learn's contract

    def fit(self, X: Sequence[Any], y: Sequence[Any], sample_weight: Sequence[float] | None = None) -> Self:
        """Train on images.

        Args:
            X: (N,) paths, Pillow images, encoded bytes or arrays; or one array (N, H, W, 3) or (N, H, W).
            y: (N,) labels, of any type that can be sorted.
            sample_weight: (N,) of the images; None weighs all alike.

        Raises:
            EyebrightError: the images, the labels or an option do not allow it.
        """
        images = _images(X)
        labels = np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(images):
            raise ConfigError(
                "y must have one label for each image. Got {labels} for {images:image|images}. Correct it.",
                labels=f"y{labels.shape}",
                images=len(images),
            )
        self.classes_, places = np.unique(labels, return_inverse=True)
        names = _names(self.classes_)
        with TemporaryDirectory(prefix="eyebright-") as folder:
            table: dict[str, list[Any]] = {
                "path": _paths(images, Path(folder)),
                "label": [names[place] for place in places],
            }
            if sample_weight is not None:
                table["weight"] = [float(weight) for weight in sample_weight]
            run = self._train(table, Path(folder) / "run")
            self._order = [run.labels.index(name) for name in names]
            self._sealed = run.model.read_bytes()
            self.metrics_ = dict(run.metrics)
        self._model: InMemoryModel | None = None
        self.run_ = run if self.out is not None else None
        return self

    def predict_proba(self, X: Sequence[Any]) -> FloatArray:
        """Return calibrated probabilities (N, K), in the order of :attr:`classes_`.

        Raises:
            ImageError: an image cannot be read.
        """
        found = self._predictions(X)
        model = self._opened()
        places = {label: place for place, label in enumerate(model.labels)}
        rows = np.zeros((len(found), len(places)), np.float32)
        for row, prediction in zip(rows, found, strict=True):
            row[[places[label] for label in prediction.labels]] = prediction.probabilities
        return rows[:, self._order]

    def predict(self, X: Sequence[Any]) -> Any:
        """Return the predicted labels (N,)."""
        found = self._predictions(X)
        known = [self._opened().labels[place] for place in self._order]
        return self.classes_[[known.index(prediction.labels[0]) for prediction in found]]

    def score(
        self, X: Sequence[Any], y: Sequence[Any], sample_weight: Sequence[float] | None = None
    ) -> float:
        """Return the accuracy."""
        return float(np.average(self.predict(X) == np.asarray(y), weights=sample_weight))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params: Any) -> Self:
        """Set arguments of the constructor.

        Raises:
            ConfigError: there is none of a name.
        """
        for name, value in params.items():
            if name not in self._parameters():
                raise ConfigError(
                    "A parameter of EyebrightClassifier must be one of {names}. Got {name}. Give other "
                    "options of a training in options.",
                    names=", ".join(self._parameters()),
                    name=name,
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = ", ".join(
            f"{name}={value!r}" for name, value in self.get_params().items() if value is not None
        )
        return f"{type(self).__name__}({given})"

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn whether :meth:`fit` was called."""
        return hasattr(self, "_sealed")

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what this is; only scikit-learn asks, so it is installed."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(one_d_array=True, two_d_array=False, three_d_array=True, string=True),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the open model: a session cannot be sent to another process."""
        return {**self.__dict__, **({"_model": None} if "_model" in self.__dict__ else {})}

    # ---- parts

    @classmethod
    def _parameters(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def _train(self, table: Mapping[str, Sequence[Any]], folder: Path) -> Run:
        """Train where ``out`` says, or in ``folder``."""
        options: dict[str, Any] = {
            "backbone": self.backbone,
            "size": self.size,
            "layers": self.layers,
            "finetune": self.finetune,
            "seed": self.seed,
            "out": folder if self.out is None else self.out,
            "overwrite": True,
            "progress": False,
            "path": "path",
            "label": ["label"],
        }
        if self.finetune == "off":
            options["folds"] = self.folds
        if "weight" in table:
            options["weight"] = "weight"
        return train(table, **{**options, **(self.options or {})})

    def _predictions(self, X: Sequence[Any]) -> list[Prediction]:
        model = self._opened()
        return list(parallel(model.predict, _images(X)))

    def _opened(self) -> InMemoryModel:
        if not self.__sklearn_is_fitted__():
            _not_fitted()
        if self._model is None:
            self._model = InMemoryModel(Path("model.onnx"), onnx.load_from_string(self._sealed), threads=1)
        return self._model


def _images(given: Any) -> list[Any]:
    """Return a list of images.

    Raises:
        ConfigError: it is an array of another kind, or holds nothing.
    """
    if isinstance(given, str | os.PathLike | bytes) or not hasattr(given, "__len__"):
        raise ConfigError(
            "X must be a list of images: paths, Pillow images or arrays. Got {kind}. Put it into a list.",
            kind=type(given).__name__,
        )
    numbers = getattr(given, "dtype", None) is not None and np.asarray(given).dtype.kind not in "OUS"
    if numbers and np.asarray(given).ndim < _PIXELS:
        raise ConfigError(
            "X must be images: an array (N, H, W, 3) or (N, H, W) of uint8. Got {shape}. For tables of "
            "numbers, use a classifier of scikit-learn.",
            shape=str(np.asarray(given).shape),
        )
    images = list(given)
    if not images:
        raise DataError("X must have at least one image. It has none. Give images.")
    return images


def _paths(images: Iterable[Any], folder: Path) -> list[str]:
    """Return the images' paths, those in memory as files in ``folder``."""
    paths = []
    for number, image in enumerate(images):
        if isinstance(image, str | os.PathLike):
            paths.append(os.fspath(image))
            continue
        path = folder / f"{number:06}.png"
        write_image(image, path)
        paths.append(str(path))
    return paths


def _names(classes: Any) -> list[str]:
    """Return a name for each class: what it is as text where that tells all apart, else its number."""
    names = [str(label).strip() for label in classes.tolist()]
    return names if all(names) and len(set(names)) == len(names) else [f"{n:04}" for n in range(len(names))]


def _not_fitted() -> NoReturn:
    """Raise scikit-learn's own error where that is loaded: its functions look for it."""
    error = ConfigError("A classifier must learn before it predicts. This one has not. Call fit first.")
    if "sklearn.exceptions" in sys.modules:
        raise sys.modules["sklearn.exceptions"].NotFittedError(error.text()) from error
    raise error
