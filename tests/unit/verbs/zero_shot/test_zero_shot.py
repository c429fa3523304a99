"""Recognition from names, by towers with random weights: tested is what is computed, not how well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

import torch
import towers
import transformers

import eyebright
from eyebright.errors import ConfigError, EyebrightError, ModelError
from eyebright.sealed.model import SealedModel

LABELS = ["coat", "red hat"]
PROMPTS = 'templates = ["a photo of a {}.", "this is a {}"]\n[classes]\n"red hat" = ["hat", "bag"]\n'


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("towers")
    makers = {"clip": towers.clip, "siglip": towers.siglip, "open_clip": towers.open_clip}
    return {name: make(root / name) for name, make in makers.items()}


@pytest.fixture(scope="module")
def squares(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photographs of the towers' own size, which nothing has to resize."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("squares")
    found = sorted(textile.rglob("*.jpg"))[:3] or sorted(textile.rglob("*.png"))[:3]
    for number, path in enumerate(found):
        Image.open(path).convert("RGB").resize((towers.SIDE, towers.SIDE)).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def _zero_shot(squares: list[Path], name: str, out: Path, **options: object) -> SealedModel:
    found = eyebright.zero_shot(squares, LABELS, backbone=name, out=out, **options)
    assert found.parity.images == len(squares)
    assert [p.path for p in found.predictions] == [str(path) for path in squares]
    model = SealedModel(out)
    assert [model.predict(path).label for path in squares] == [p.label for p in found.predictions]
    return model


def _logits(folder: Path, squares: list[Path], texts: list[str], length: int | None) -> torch.Tensor:
    """Return what transformers itself makes of the same pixels and texts."""
    from PIL import Image

    model = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    padding = {"padding": "max_length", "max_length": length} if length else {"padding": True}
    given = tokenizer(texts, return_tensors="pt", **padding)
    if length:
        del given["attention_mask"]
    pixels = processor([Image.open(path) for path in squares], return_tensors="pt")
    with torch.no_grad():
        found: torch.Tensor = model(
            **{k: v for k, v in given.items() if "type" not in k}, **pixels
        ).logits_per_image
    return found


def test_clip_answers_as_transformers_does(folders: dict[str, Path], squares: list[Path], tmp_path: Path):
    model = _zero_shot(squares, f"clip:{folders['clip']}", tmp_path / "run")
    expected = _logits(folders["clip"], squares, [f"a photo of a {label}." for label in LABELS], None)
    found = [model.probabilities(model.pixels(path, None)[None])[0] for path in squares]
    np.testing.assert_allclose(found, expected.softmax(dim=1).numpy(), atol=1e-4)
    assert (tmp_path / "run" / "text_tower.onnx").stat().st_size > 0


def test_siglip_answers_as_transformers_does(folders: dict[str, Path], squares: list[Path], tmp_path: Path):
    model = _zero_shot(squares, f"clip:{folders['siglip']}", tmp_path / "run", multilabel=True)
    texts = [f"This is a photo of {label}." for label in LABELS]
    expected = _logits(folders["siglip"], squares, texts, 16)
    found = [model.probabilities(model.pixels(path, None)[None])[0] for path in squares]
    np.testing.assert_allclose(found, expected.sigmoid().numpy(), atol=1e-4)


def test_open_clip_answers_as_it_does_itself(folders: dict[str, Path], squares: list[Path], tmp_path: Path):
    import open_clip
    from PIL import Image

    place = f"local-dir:{folders['open_clip']}"
    model = _zero_shot(squares, f"open_clip:{folders['open_clip']}", tmp_path / "run")
    own, prepare = open_clip.create_model_from_pretrained(place)
    with torch.no_grad():
        texts = open_clip.get_tokenizer(place)([f"a photo of a {label}." for label in LABELS])
        images = torch.stack([prepare(Image.open(path)) for path in squares])
        expected, _ = own.eval().get_logits(images, texts)
    found = [model.probabilities(model.pixels(path, None)[None])[0] for path in squares]
    np.testing.assert_allclose(found, expected.softmax(dim=1).numpy(), atol=1e-4)


def test_training_starts_from_the_names(folders: dict[str, Path], textile: Path, tmp_path: Path):
    (tmp_path / "prompts.toml").write_text('templates = ["a photo of a {}."]\n')
    given = {"backbone": f"clip:{folders['clip']}", "prompts": tmp_path / "prompts.toml"}
    run = eyebright.train(textile, out=tmp_path / "run", **given)
    assert run.metrics["chosen"]["prompts_scale"] in (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
    assert "clip:" in SealedModel(run.model).card.backbone


def test_several_prompts_make_one_class(folders: dict[str, Path], squares: list[Path], tmp_path: Path):
    (tmp_path / "prompts.toml").write_text(PROMPTS)
    _zero_shot(squares, f"clip:{folders['clip']}", tmp_path / "run", prompts=tmp_path / "prompts.toml")
    prompts = SealedModel(tmp_path / "run").card.content["prompts"]
    assert prompts["red hat"] == ["a photo of a hat.", "this is a hat", "a photo of a bag.", "this is a bag"]


def _noncommercial(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")


def _other_tokenizer(folder: Path) -> None:
    towers.tokenizer(folder, extra_words=5)


def _other_sizes(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["hidden_size"] = 64
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (_noncommercial, ConfigError, "--licence any"),
        (_other_tokenizer, ModelError, "19 tokens, and the tower knows 14"),
        (_other_sizes, ModelError, "config.json"),
    ],
)
def test_folders_that_cannot_be(
    folders: dict[str, Path],
    squares: list[Path],
    tmp_path: Path,
    spoil,
    kind: type[EyebrightError],
    words: str,
):
    folder = shutil.copytree(folders["clip"], tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(kind, match=words):
        eyebright.zero_shot(squares, LABELS, backbone=f"clip:{folder}", out=tmp_path / "run")
    assert not (tmp_path / "run" / "model.onnx").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": ["coat"]}, "at least 2 classes"),
        ({"classes": "coat, coat"}, "each once"),
        ({"backbone": "efficientnet_lite0"}, "text tower"),
        ({"multilabel": True}, "softmax"),
        ({"prompts": "[classes]\nshoe = 'shoe'\n"}, "none named shoe"),
        ({"prompts": "templates = ['a photo']\n"}, "lacks {}"),
        ({"prompts": "templates = [3]\n"}, "must be TOML"),
    ],
)
def test_options_that_cannot_be(
    folders: dict[str, Path], squares: list[Path], tmp_path: Path, options: dict[str, object], words: str
):
    if "prompts" in options:
        (tmp_path / "prompts.toml").write_text(str(options["prompts"]))
        options = {"prompts": tmp_path / "prompts.toml"}
    given = {"classes": LABELS, "backbone": f"clip:{folders['clip']}"} | options
    with pytest.raises(ConfigError, match=words):
        eyebright.zero_shot(squares, **given)
