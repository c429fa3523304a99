"""Fine-tuning that cannot be: a sentence that says why and what to do, and nothing is spoilt."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import eyebright, refused

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from finetuning import SMALL, few, finished  # noqa: E402

from eyebright.runtime.install import install_command  # noqa: E402

# As if PyTorch were not installed.
_WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def data(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few(textile, tmp_path_factory.mktemp("data") / "textile")


@pytest.mark.parametrize("words", [("--finetune", "last"), ("--finetune", "full", "--processes", "2")])
def test_a_missing_extra(
    words: tuple[str, ...], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(_WITHOUT_TORCH)
    monkeypatch.setenv("PYTHONPATH", str(place))
    done = eyebright("train", data, *words, *SMALL, "--out", tmp_path / "run", process=True)
    sentence = refused(done)
    assert "torch is not installed" in sentence
    assert sentence.endswith(install_command("torch"))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--backbone", "resnet19"), 2, ("named resnet19", "The closest are: resnet18")),
        (("--backbone", "resnet18"), 1, ("--weights FILE", "backbone efficientnet_lite0")),
        (("--cutmix", "1"), 2, ("--finetune full",)),
    ],
)
def test_options_that_cannot_be(
    words: tuple[str, ...],
    status: int,
    said: tuple[str, ...],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    own = [tmp_path / "run" / place for place in ("full/photo.jpg", "checkpoints/my.pt", "notes.json")]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    done = eyebright("train", data, "--finetune", "last", *words, *SMALL, "--out", tmp_path / "run")
    sentence = refused(done, status)
    for part in said:
        assert part in sentence
    assert sorted(p for p in (tmp_path / "run").rglob("*") if p.is_file()) == sorted(own)


def test_weights_of_another_network(data: Path, tmp_path: Path) -> None:
    from timm import create_model

    file = tmp_path / "resnet18.pth"
    torch.save(create_model("resnet18").state_dict(), file)
    words = ("--finetune", "last", "--backbone", "resnet34", "--weights", file)
    sentence = refused(eyebright("train", data, *words, *SMALL, "--out", tmp_path / "run"))
    assert "must fit resnet34" in sentence
    assert "layer1.2.conv1.weight" in sentence
    words = ("--finetune", "last", "--backbone", "resnet50", "--weights", file)
    sentence = refused(eyebright("train", data, *words, *SMALL, "--out", tmp_path / "run"))
    assert "layer1.0.conv1.weight 64×64×1×1 → 64×64×3×3" in sentence


def test_a_directory_that_holds_no_training(data: Path, tmp_path: Path) -> None:
    assert "must contain config.toml" in refused(eyebright("train", "--resume", data))
    (tmp_path / "config.toml").write_text('model = "run"\nsize = [96]\n')  # as `eyebright shrink` has it
    sentence = refused(eyebright("train", "--resume", tmp_path), status=2)
    assert sentence.startswith("The run to resume must be a training run.")
    assert "Unknown option model" in sentence


def test_a_loss_that_is_no_number(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("--finetune", "last", "--lr", "1e9", "--epochs", "3", "--out", run)
    sentence = refused(eyebright("train", data, *words, *SMALL, "--batch", "4"))
    assert "Training diverged: the loss became " in sentence
    assert "The learning rate is probably too high; try a tenth of it." in sentence
    assert not (run / "metrics.json").exists()


def test_a_loss_that_is_no_number_later_keeps_the_last_good_state(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = (
        "--finetune",
        "last",
        "--epochs",
        "3",
        "--schedule",
        "constant",
        "--warmup",
        "0",
        "--patience",
        "0",
    )
    finished(data, *words, *SMALL, "--epochs", "1", "--out", run)
    done = finished("--resume", run, "--lr", "1e12", "--epochs", "3")
    assert "lr was 0.0003 and is 1000000000000.0 from here on." in done.stderr
    assert "The best weights so far, of epoch" in done.stderr
    assert "Training diverged and ended" in (run / "report.html").read_text(encoding="utf-8")


def test_other_images_are_refused_with_the_difference(textile: Path, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    finished(data, "--finetune", "last", "--epochs", "1", *SMALL, "--out", run)
    content = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    more = few(textile, tmp_path / "more", each=10)
    sentence = refused(eyebright("train", more, "--resume", run, "--epochs", "2"))
    assert "Since then, 9 images were added, 0 images were removed, and 0 images changed" in sentence
    assert content == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    sentence = refused(eyebright("train", "--resume", run, "--size", "96"))
    assert "size" in sentence
    assert content == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert "--out" in refused(eyebright("train", "--resume", run, "--out", tmp_path / "other"), status=2)
    moved = Path(shutil.copytree(data, tmp_path / "moved"))  # the same images elsewhere
    finished(moved, "--resume", run)
    (run / "manifest.parquet").unlink()  # then the checkpoint knows
    assert "The data has changed (data: " in refused(eyebright("train", more, "--resume", run))


@pytest.mark.xdist_group("alone")
def test_two_processes_that_fail_alike_say_so_once(data: Path, tmp_path: Path) -> None:
    words = (
        "--finetune",
        "last",
        "--lr",
        "1e9",
        "--epochs",
        "3",
        "--out",
        tmp_path / "run",
        "--processes",
        "2",
    )
    done = eyebright("train", data, *words, *SMALL, "--batch", "4")
    assert "One of 2 processes failed" in refused(done)
    assert done.stderr.count("Training diverged: the loss became ") == 1
