"""`explain`: the parts of an image a prediction is based on, as pictures, a page and arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from eyebright.data.walk import OUTPUT_MARK
from eyebright.errors import ImageError, NotFoundError
from eyebright.explaining.base import Explainer, Method
from eyebright.explaining.choose import explainer
from eyebright.explaining.drawing import draw, require_class
from eyebright.explaining.words import WordEvidence
from eyebright.report.display import Displayed, ResultTable
from eyebright.report.thumbnails import data_uri
from eyebright.runs.run import new_directory
from eyebright.runtime.atomic import write_bytes, write_text
from eyebright.runtime.context import progress_task, stage
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.types import FloatArray, Skipped
from eyebright.verbs.explain.options import ExplainConfig
from eyebright.verbs.explain.page import ExplainedImage, write_explanations
from eyebright.verbs.predict.tables import TextedImage, texted_images

_PICTURE_PX, _PAGE_PX = 1024, 288
_ON_PAGE = 100
_WORDS = 8


@dataclass(frozen=True)
class Explained:
    """One image's heat map.

    Attributes:
        path: of the image.
        label: the class whose evidence is shown.
        probability: of that class, calibrated.
        answer: the class that the model answers.
        heat: (h, h), laid over the whole image; above 0 speaks for the class, below 0 against.
        picture: the PNG file.
        words: of the text beside the image, the strongest first; above 0 for the class, below 0 against.
    """

    path: str
    label: str
    probability: float
    answer: str
    heat: FloatArray
    picture: Path
    words: Sequence[WordEvidence] = ()


@dataclass(frozen=True, repr=False)
class Explanations(Displayed):
    """The result of `explain`; it lists its pictures when it is printed.

    Attributes:
        directory: holds the pictures and `index.html`.
        method: how the maps were made.
        images: in the order in which they were named.
        skipped: what could not be read.
    """

    directory: Path
    method: Method
    images: Sequence[Explained]
    skipped: Sequence[Skipped]

    @property
    def page(self) -> Path:
        """Return all pictures beside their images."""
        return self.directory / "index.html"

    def display(self) -> Iterator[str | ResultTable]:
        """Yield each image's probability, class and picture, and where the page is."""
        rows = [
            (f"{100 * image.probability:.1f} %", printable(image.label), printable(str(image.picture)))
            for image in self.images
        ]
        if rows:
            yield ResultTable(rows, right=(0,), head=False)
        yield translate("Page  {path}", path=printable(str(self.page)))


@stage
def explain(config: ExplainConfig) -> Explanations:
    """Draw a heat map over each image and writes a page of them.

    Args:
        config: which model, which images, which class.

    Raises:
        NotFoundError: the model does not exist, or a path or pattern matches nothing.
        ModelError: the file is not a sealed model.
        ConfigError: the model does not know the class.
        NoHeatMapError: the method has no heat map for this model.
        MissingExtraError: the method needs packages that are not installed.
        StorageError: the disk is full or must not be written.
    """
    model = SealedModel(config.model, threads=1)
    images = texted_images(config.images, model, config.path, config.text)
    drawer = _Drawer(config, model, explainer(model, config.method))
    done: list[Explained] = []
    skipped: list[Skipped] = []
    shown: list[ExplainedImage] = []
    threads = 1 if drawer.how.method == "gradcam" else None  # its hooks are the module's, not the call's
    with progress_task("Computing heat maps") as task:
        for result in parallel(drawer.draw, _with_names(images), threads):
            task.advance()
            if isinstance(result, Skipped):
                skipped.append(result)
                continue
            explained, image = result
            done.append(explained)
            if len(shown) < _ON_PAGE:
                shown.append(image)
    title = model.path.resolve().parent.name
    found = Explanations(drawer.directory, drawer.how.method, done, skipped)
    write_explanations(found.page, title, drawer.how, shown, len(done))
    return found


class _Drawer:
    """Draw one image after another, from several threads."""

    def __init__(self, config: ExplainConfig, model: SealedModel, how: Explainer) -> None:
        require_class(model, config.class_)
        self._model = model
        self._asked = config.class_
        self.how = how
        self.directory = new_directory(config.out, "explanations", model.path.resolve().parent.name)
        if next(self.directory.iterdir(), None) is None:  # never mark a folder that holds other things
            write_text(self.directory / OUTPUT_MARK, "Written by `eyebright explain`, so no class.\n")

    def draw(self, named: tuple[TextedImage | Skipped, str]) -> tuple[Explained, ExplainedImage] | Skipped:
        """Draw the map of an image into a file of the given name."""
        given, name = named
        if isinstance(given, Skipped):
            return given
        path = given.name or ""
        if given.image is None:
            return Skipped(path, "The row has no image.")
        try:
            drawn = draw(self._model, self.how, given.image, self._asked, _PICTURE_PX, given.text)
        except (ImageError, NotFoundError) as error:
            return Skipped(path, error.template, error.values)
        write_bytes(self.directory / name, drawn.png())
        shown = ExplainedImage(
            path=path,
            label=drawn.label,
            probability=drawn.probability,
            answer=drawn.answer,
            before=data_uri(Image.fromarray(drawn.image), _PAGE_PX),
            after=data_uri(drawn.picture, _PAGE_PX),
            picture=name,
            words=drawn.words[:_WORDS],
        )
        found = Explained(
            path,
            drawn.label,
            drawn.probability,
            drawn.answer,
            drawn.heat,
            self.directory / name,
            drawn.words,
        )
        return found, shown


def _with_names(
    images: Iterator[TextedImage | Skipped],
) -> Iterator[tuple[TextedImage | Skipped, str]]:
    """Yield each image with a unique file name: images in several folders often have the same name."""
    taken: dict[str, int] = {}
    for given in images:
        if isinstance(given, Skipped):
            yield given, ""
            continue
        stem = re.sub(r"[^\w.-]+", "-", Path(given.name or "").stem).strip("-.") or "image"
        taken[stem] = taken.get(stem, 0) + 1
        yield given, f"{stem}.png" if taken[stem] == 1 else f"{stem}-{taken[stem]}.png"
