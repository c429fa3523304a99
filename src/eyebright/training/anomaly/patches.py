"""Patch features: what a frozen backbone sees at each place of an image, from two of its stages.

The maps of the stages are averaged over 3 x 3 places, brought to one grid and joined, as PatchCore does (Roth
et al., 2022). Which stages tell good images from others best depends on how small the defects are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.card import BackboneCard, Layer, Preprocessing
from eyebright.backbones.graph import assemble, normalise
from eyebright.data.decode import open_rgb, to_square
from eyebright.data.header import read_image
from eyebright.data.manifest import Sample
from eyebright.engines.base import Engine
from eyebright.errors import EyebrightError, ImageError, NotFoundError
from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.onnx_graph.edit import copy_of, extracted
from eyebright.runtime.onnx_session import open_session
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import Task
from eyebright.training.cache.store import FeatureSpace, Rows
from eyebright.training.cache.usage import trim
from eyebright.training.linear_probe.features import training_preprocessing
from eyebright.types import FloatArray, IntArray, JsonObject, Skipped, UInt8Array

#: What the rows of the cache are.
KIND = "patch features"
#: The patch features in a graph, (B, C, P).
PATCHES = "patches"
_CACHE_BYTES = 4_000_000_000
_LARGEST_GRID = 56


@dataclass(frozen=True)
class PatchMaps:
    """Maps of a backbone that describe the places of an image.

    Attributes:
        name: "first", "early" or "middle".
        layers: whose maps are joined.
        preprocessing: of the images, S × S.
        grid: g; an image has P = g² places.
    """

    name: str
    layers: tuple[Layer, ...]
    preprocessing: Preprocessing
    grid: int

    @property
    def channels(self) -> int:
        """Return C, the number of features of a place."""
        return sum(layer.channels for layer in self.layers)

    @property
    def places(self) -> int:
        """Return P."""
        return self.grid**2

    def taps(self) -> list[str]:
        """Return the layers as a sealed model's card names them."""
        return [f"{layer.name}:patches" for layer in self.layers]


def patch_maps(backbone: Backbone, size: int) -> list[PatchMaps]:
    """Return the maps that training compares at one input size, those of smaller places first.

    "first" joins the last stages at a half and a quarter of the size, for spots of a few pixels; "early"
    those at a quarter and an eighth, for textures and small defects; "middle" those at an eighth and a
    sixteenth, for parts and what is missing of them. Networks without such stages, as transformers, have
    "middle" alone. All have the same grid.
    """
    sides = _sides(backbone, size)
    stages = [layer for layer in backbone.card.layers if layer.kind == "stage" and sides[layer.name] > 1]
    preprocessing = training_preprocessing(backbone.card, size)
    last = {size // sides[layer.name]: layer for layer in stages}
    sets = {
        name: [last[stride] for stride in strides]
        for name, strides in (("first", (2, 4)), ("early", (4, 8)), ("middle", (8, 16)))
        if set(strides) <= last.keys()
    }
    if not sets:
        places = dict.fromkeys((len(stages) // 3, 2 * len(stages) // 3))
        sets = {"middle": [stages[place] for place in places]}
    finest = max(min(sides[layer.name], size // 8) for layers in sets.values() for layer in layers)
    grid = min(finest, _LARGEST_GRID)
    return [PatchMaps(name, tuple(layers), preprocessing, grid) for name, layers in sets.items()]


def joined(sets: Sequence[PatchMaps]) -> PatchMaps:
    """Return the maps of all layers of several sets of one size, so that one pass computes them."""
    layers = dict.fromkeys(layer for maps in sets for layer in maps.layers)
    return replace(sets[0], name="joined", layers=tuple(layers))


def columns(part: PatchMaps, whole: PatchMaps) -> IntArray:
    """Return the columns of the features of ``part`` in those of ``whole``, which has its layers."""
    ends = np.cumsum([layer.channels for layer in whole.layers])
    places = {
        layer: np.arange(end - layer.channels, end) for layer, end in zip(whole.layers, ends, strict=True)
    }
    return np.concatenate([places[layer] for layer in part.layers]).astype(np.int64)


def _sides(backbone: Backbone, size: int) -> Mapping[str, int]:
    """Return the side of the map of each layer of a backbone."""
    whole = copy_of(backbone.model(size))
    names = [layer.name for layer in backbone.card.layers if layer.kind == "stage"]
    del whole.graph.value_info[:]
    whole.graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", None, None, None]) for name in names
    )
    part = extracted(whole, ["pixels"], names)
    black = np.zeros((1, 3, size, size), np.float32)
    maps = open_session(part).run(names, {"pixels": black})
    return {name: found.shape[-1] for name, found in zip(names, maps, strict=True)}


def join_patches(builder: GraphBuilder, maps: PatchMaps, sides: Mapping[str, int]) -> str:
    """Add the nodes from a backbone's maps to :data:`PATCHES`, float32 (B, C, P)."""
    grid = builder.constant("patch_grid", np.array([maps.grid, maps.grid], np.int64))
    rows = []
    for layer in maps.layers:
        name, side = layer.name, sides[layer.name]
        window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 0}
        value = builder.node("AveragePool", [name], f"{name}_local", **window)
        factor = side // maps.grid
        if factor > 1 and side == factor * maps.grid:
            whole = {"kernel_shape": [factor, factor], "strides": [factor, factor]}
            value = builder.node("AveragePool", [value], f"{name}_grid", **whole)
        elif side != maps.grid:
            value = builder.node("Resize", [value, "", "", grid], f"{name}_grid", mode="linear", axes=[2, 3])
        rows.append(value)
    joined = builder.node("Concat", rows, "patch_maps", axis=1)
    shape = builder.constant("patch_shape", np.array([-1, maps.channels, maps.places], np.int64))
    return builder.node("Reshape", [joined, shape], PATCHES)


def patches_graph(backbone: Backbone, maps: PatchMaps) -> onnx.ModelProto:
    """Return the engines' graph: `images` uint8 (B, S, S, 3) in, `features` float32 (B, C · P) out."""
    before, after = GraphBuilder(), GraphBuilder()
    size = maps.preprocessing.size
    channels_first = before.node("Transpose", ["images"], "images_nchw", perm=[0, 3, 1, 2])
    floats = before.node("Cast", [channels_first], "images_float", to=TensorProto.FLOAT)
    normalise(before, floats, maps.preprocessing)
    after.node("Flatten", [join_patches(after, maps, _sides(backbone, size))], "features")
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", size, size, 3])
    width = maps.channels * maps.places
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", width])
    return assemble(backbone.model(size), before, after, images, [features])


def sealed_patches(builder: GraphBuilder, backbone: Backbone, maps: PatchMaps) -> str:
    """Add the nodes of :func:`join_patches` for a graph that holds the backbone."""
    return join_patches(builder, maps, _sides(backbone, maps.preprocessing.size))


class PatchExtractor:
    """Computes patch features that the cache lacks, and reads the rest an image at a time.

    Args:
        cache: its folder.
        card: of the backbone.
        maps: to compute.
        engine: on the graph of :func:`patches_graph`; float32, for distances tell what lower precision hides.
    """

    def __init__(self, cache: Path, card: BackboneCard, maps: PatchMaps, engine: Engine) -> None:
        self.maps = maps
        self._engine = engine
        definition: JsonObject = {
            "kind": KIND,
            "backbone": card.name,
            "backbone_sha": card.sha,
            "graph": 1,
            "precision": engine.precision,
            "taps": maps.taps(),
            "grid": maps.grid,
            **asdict(maps.preprocessing),
        }
        trim(cache, _CACHE_BYTES, KIND)
        self._space = FeatureSpace(cache, definition, maps.channels * maps.places)

    def compute(self, root: Path, samples: Sequence[Sample], task: Task) -> list[Skipped]:
        """Make sure that the cache holds ``samples``; advance ``task`` by one an image.

        Returns:
            The images that could not be read, with the reasons.
        """
        missing = {s.key: s for s in samples if s.key not in self._space}
        task.advance(len(samples) - len(missing))
        if missing:
            self._space.check_room(len(missing))
        unreadable: dict[bytes, EyebrightError] = {}

        def rows() -> Iterator[tuple[bytes, Rows]]:
            wanted = sorted(missing.values(), key=lambda s: s.place)
            for sample, row in parallel(lambda s: (s, self._row(root, s)), wanted, self._engine.callers):
                task.advance()
                if isinstance(row, EyebrightError):
                    unreadable[sample.key] = row
                else:
                    yield sample.key, row

        self._space.keep(rows())
        found = ((s, unreadable[s.key]) for s in samples if s.key in unreadable)
        return [Skipped(s.path, error.template, error.values) for s, error in found]

    def read(self, samples: Iterable[Sample]) -> Iterator[FloatArray]:
        """Yield the patch features (P, C) of samples that were computed."""
        for sample in samples:
            [row] = self._space.read([sample.key])
            yield self._places(row.astype(np.float32))

    def of_square(self, square: UInt8Array) -> FloatArray:
        """Return the patch features (P, C) of an image that is resized already, (S, S, 3)."""
        return self._places(self._engine.run(square))

    def square(self, root: Path, sample: Sample) -> UInt8Array:
        """Return a sample as the backbone sees it, (S, S, 3).

        Raises:
            ImageError, NotFoundError: it cannot be read.
        """
        size, interpolation = self.maps.preprocessing.size, self.maps.preprocessing.interpolation
        image = open_rgb(
            read_image(root / sample.path, sample.sha), min_side=size, white_level=sample.white_level
        )
        return to_square(image, size, interpolation=interpolation)

    @property
    def callers(self) -> int:
        """Return how many threads keep every core at work."""
        return self._engine.callers

    @property
    def engine(self) -> str:
        """Return the engine's name."""
        return self._engine.name

    def _row(self, root: Path, sample: Sample) -> Rows | EyebrightError:
        try:
            return self._engine.run(self.square(root, sample)).astype(np.float16)
        except (ImageError, NotFoundError) as error:
            return error.with_traceback(None)

    def _places(self, row: FloatArray) -> FloatArray:
        rows: FloatArray = np.ascontiguousarray(row.reshape(self.maps.channels, self.maps.places).T)
        return rows
