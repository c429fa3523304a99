"""Features of images, and which are most alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import eyebright as eb
from eyebright.cli.main import main
from eyebright.errors import ConfigError, DataError, NotFoundError
from eyebright.runs.run import Run
from eyebright.training.cache.fill import LEAST_IMAGES
from eyebright.verbs.embed.result import Embeddings

SIZE = 64


@pytest.fixture(scope="module")
def folder(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs, the first of them twice, at another quality."""
    root = tmp_path_factory.mktemp("embed")
    for number, file in enumerate(sorted(textile.glob("val/*/*.jpg"))[::5][:6]):
        (root / f"{number}.jpg").write_bytes(file.read_bytes())
    with Image.open(root / "0.jpg") as image:
        image.save(root / "again.jpg", quality=70)
    return root


@pytest.fixture(scope="module")
def found(folder: Path) -> Embeddings:
    return eb.embed(folder, size=SIZE, neighbours=2, progress=False)


def test_a_copy_is_the_nearest(found: Embeddings) -> None:
    names = [Path(path).name for path in found.paths]
    copy, first = names.index("again.jpg"), names.index("0.jpg")
    assert found.features.shape == (7, 1280)
    assert found.neighbours is not None
    assert found.neighbours.places.shape == (7, 2)
    assert found.neighbours.places[copy, 0] == first
    assert found.neighbours.places[first, 0] == copy
    assert (np.diff(found.neighbours.similarity, axis=1) <= 0).all()
    assert all(place not in row for place, row in enumerate(found.neighbours.places))


def test_images_in_memory_have_the_features_of_their_files(found: Embeddings) -> None:
    given = [np.asarray(Image.open(path).convert("RGB")) for path in found.paths[:2]]
    same = eb.embed(given, size=SIZE, progress=False)
    assert list(same.paths) == ["0", "1"]
    # Kept as float16; another engine may be the fastest for these two, and differ in the last bit.
    assert np.allclose(same.features, found.features[:2], rtol=2e-3, atol=1e-4)
    nearest = same.nearest(1, among=found)
    assert nearest.places[:, 0].tolist() == [0, 1]
    assert np.allclose(nearest.similarity, 1, atol=1e-4)


def test_the_table_can_be_read_back(
    found: Embeddings, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.jpg").write_bytes(b"no image")
    out = tmp_path / "features.parquet"
    words = ["embed", str(folder), "--size", str(SIZE), "--neighbours", "1", "--out", str(out)]
    assert main(words) == 1
    (folder / "broken.jpg").unlink()
    shown = capsys.readouterr()
    assert "7 images have 1280 features each" in shown.out
    assert "broken.jpg" in shown.err
    table = pq.read_table(out)
    assert table.column_names == ["path", "features", "neighbours", "similarity"]
    assert np.array_equal(np.array(table["features"].to_pylist(), np.float32), found.features)
    assert len(table["neighbours"][0]) == 1


def test_a_model_gives_the_features_of_its_head(textile_run: Run, folder: Path) -> None:
    found = eb.embed(folder / "0.jpg", model=textile_run.directory, progress=False)
    card = eb.load(textile_run.directory).card
    assert found.source.startswith(card.backbone)
    other = eb.embed(folder / "0.jpg", size=SIZE, progress=False)
    with pytest.raises(ConfigError, match="from one model"):
        found.nearest(1, among=other)


def test_a_trained_module_computes_what_the_sealed_file_does(textile_run: Run, folder: Path) -> None:
    torch = pytest.importorskip("torch")
    files = [folder / "0.jpg", folder / "1.jpg"]
    network = textile_run.module()
    inputs = network.inputs(files)
    with torch.no_grad():
        probabilities = network(inputs).softmax(1).numpy()
        features = network.features(inputs).numpy()
    model = eb.load(textile_run.directory)
    for row, file in zip(probabilities, files, strict=True):
        prediction = model.predict(file)
        expected = [prediction.probabilities[prediction.labels.index(label)] for label in network.labels]
        assert np.allclose(row, expected, atol=1e-3)
    sealed = eb.embed(files, model=textile_run.directory, progress=False).features
    assert np.allclose(features, sealed, atol=1e-3 * np.abs(sealed).max())
    # One step in a loop of one's own, as a LightningModule would do it.
    before = torch.nn.functional.cross_entropy(network(inputs), torch.tensor([0, 2]))
    before.backward()
    torch.optim.SGD(network.parameters(), lr=1e-7).step()
    assert torch.nn.functional.cross_entropy(network(inputs), torch.tensor([0, 2])) < before


def test_what_cannot_be_is_refused(textile_run: Run, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--size"):
        eb.embed(folder, model=textile_run.directory, size=SIZE, progress=False)
    with pytest.raises(ConfigError, match=r"features\.parquet"):
        eb.embed(folder, out="features.csv", progress=False)
    with pytest.raises(NotFoundError, match="matches nothing"):
        eb.embed(tmp_path / "none", progress=False)
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match="None of 1 is"):
        eb.embed(tmp_path / "bad.jpg", size=SIZE, progress=False)


def test_workers_give_the_same_features(
    textile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [*sorted(textile.glob("train/*/*.jpg"))[:LEAST_IMAGES], *sorted(textile.glob("val/*/*.jpg"))[:8]]
    one, several = tmp_path / "one", tmp_path / "several"
    monkeypatch.setenv("EYEBRIGHT_CACHE", str(one))
    alone = eb.embed(images, size=SIZE, progress=False)
    shutil.copytree(one / "engines", several / "engines")  # so that no second race takes another engine
    monkeypatch.setenv("EYEBRIGHT_CACHE", str(several))
    many = eb.embed(images, size=SIZE, cluster="local:2", progress=False)
    assert many.paths == alone.paths
    assert many.features.tobytes() == alone.features.tobytes()
    assert len(list(several.rglob("*.keys.npy"))) == 2


def test_workers_are_not_asked_for_images_in_memory(folder: Path) -> None:
    image = np.asarray(Image.open(folder / "0.jpg").convert("RGB"))
    with pytest.raises(ConfigError, match="must be files that workers can read"):
        eb.embed([image], size=SIZE, cluster="local:2", progress=False)
