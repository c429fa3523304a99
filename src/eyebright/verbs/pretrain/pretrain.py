"""`pretrain`: images without labels adapt a backbone, which `train --backbone` then takes."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.backbones import catalog
from eyebright.backbones.stored import CARD
from eyebright.data.walk import OUTPUT_MARK
from eyebright.errors import ConfigError, NotFoundError
from eyebright.runs.messages import say_skipped
from eyebright.runs.run import OPTIONS, new_directory, write_options
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import progress, say, showing, stage
from eyebright.runtime.processes import is_main, launch_verb, world_size
from eyebright.runtime.progress import SILENT
from eyebright.types import JsonObject
from eyebright.verbs.pretrain.images import unlabelled_images
from eyebright.verbs.pretrain.options import PretrainConfig
from eyebright.verbs.pretrain.result import HISTORY, PAGE, PretrainedBackbone

if TYPE_CHECKING:
    from eyebright.training.pretrain.history import PretrainRow
    from eyebright.training.pretrain.loop import Pretrained
    from eyebright.training.pretrain.recipe import PretrainRecipe
    from eyebright.verbs.pretrain.dataset import PretrainDataset

_FINISHING_SECONDS = 10.0  # export and report
#: Where neither epochs nor a time are asked for.
EPOCHS = 10
_BATCH, _SMALL = 64, 32
_RATE = 3e-4


@stage
def pretrain(config: PretrainConfig, *, excluded: Collection[str] = ()) -> PretrainedBackbone:
    """Pretrain a backbone on images without labels, and write it.

    Args:
        config: on what and how.
        excluded: hashes of images that must not be learned from.

    Returns:
        The directory with `backbone.onnx`, `backbone.safetensors`, `card.json`, `history.csv`, `report.html`.

    Raises:
        MissingExtraError: PyTorch is not installed.
        EyebrightError: the images, an option or the disk does not allow it, or the features collapsed.
    """
    config, directory = _opened(config)
    catalog.require_torch()
    if config.processes > 1 and world_size() == 1:
        launch_verb("pretrain", config.model_copy(update={"out": directory}).toml(), config.processes)
        return read_pretrained(directory)
    with showing(progress() if is_main() else SILENT):
        return _pretrain(config, directory, excluded)


def _pretrain(config: PretrainConfig, directory: Path, excluded: Collection[str]) -> PretrainedBackbone:
    from eyebright.training.finetune.system.distributed import init_group
    from eyebright.training.pretrain.loop import pretrain_network
    from eyebright.training.pretrain.training import PretrainRecord
    from eyebright.verbs.pretrain.dataset import build_views
    from eyebright.verbs.pretrain.network import load_pretrain_network, write_backbone

    began = time.monotonic()
    group = init_group(config.device)
    images = unlabelled_images(config.data or Path(), config.path, excluded)
    trained = load_pretrain_network(config, group.device)
    if is_main() and config.resume is None:
        _begin(config, directory)
    with group.main_first():
        dataset = build_views(config, images, trained)
    say_skipped(dataset.unreadable)
    recipe = recipe_of(config, dataset, trained.blocks, group.device.type, time.monotonic() - began)
    before = trained.network.card.sha
    with trained.encoder.reading(dataset.stem):
        result = pretrain_network(
            trained.pretrainer(recipe),
            dataset.data,
            recipe,
            trained.network.depths,
            PretrainRecord(
                directory=directory,
                fingerprint=_fingerprint(dataset, before, config),
                resume=config.resume is not None,
            ),
            images.truth(dataset.samples),
            _say_epoch,
        )
    found = PretrainedBackbone(directory, result.history, result.epoch)
    if is_main():
        from eyebright.verbs.pretrain.page import write_pretrain_page

        write_pretrain_page(
            directory / PAGE, directory.name, result, recipe, dataset.check, images.classes != ()
        )
        write_backbone(directory, trained, config, _facts(config, dataset, recipe, result, before))
    return found


def _opened(config: PretrainConfig) -> tuple[PretrainConfig, Path]:
    """Return the options and the directory, of a new pretraining or of one to resume."""
    if config.resume is not None:
        file = config.resume / OPTIONS
        if not file.is_file():
            raise NotFoundError(
                "The pretraining to resume must contain config.toml. {path} does not. Use the directory of "
                "an interrupted pretraining.",
                path=config.resume,
            )
        if config.out is not None and config.out.resolve() != config.resume.resolve():
            raise ConfigError(
                "A resumed pretraining must stay in its directory. Got --resume {path} and --out {other}. "
                "Remove --out.",
                path=config.resume,
                other=config.out,
            )
        given = {name: getattr(config, name) for name in config.model_fields_set}
        return PretrainConfig.build(file, **{**given, "out": config.resume}), config.resume
    if (
        config.out is not None
        and (config.out / CARD).is_file()
        and not config.overwrite
        and world_size() == 1
    ):
        raise ConfigError(
            "--out must name a directory without a finished backbone. {path} contains one. Choose another "
            "directory, or replace it with --overwrite.",
            path=config.out,
        )
    return config, new_directory(config.out, "backbones", (config.data or Path()).resolve().name)


def _begin(config: PretrainConfig, directory: Path) -> None:
    """Write what a resumed pretraining needs; the card of an earlier one goes first."""
    (directory / CARD).unlink(missing_ok=True)
    write_text(directory / OUTPUT_MARK, "Written by `eyebright pretrain`, so no class.\n")
    write_options(config, directory)


def read_pretrained(directory: Path) -> PretrainedBackbone:
    """Return a finished pretraining, such as one that other processes wrote."""
    import json

    from eyebright.training.pretrain.history import read_pretrain_history

    card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    history = read_pretrain_history(directory / HISTORY)
    return PretrainedBackbone(directory, history, int(card["pretraining"]["epoch"]))


def recipe_of(
    config: PretrainConfig, dataset: PretrainDataset, blocks: int, device: str, spent: float
) -> PretrainRecipe:
    """Return the settings of the loop; what was left open is chosen by the number of images.

    Args:
        config: the options.
        dataset: the views.
        blocks: number of last blocks that learn.
        device: that they learn on.
        spent: seconds of the time budget that are gone.
    """
    from eyebright.training.pretrain.recipe import PretrainRecipe

    count = dataset.data.count
    batch = _BATCH if config.batch == "auto" else config.batch
    if config.batch == "auto" and count < 2 * _BATCH:
        batch = _SMALL
    if batch > count:
        say(
            "There are fewer images than a batch ({batch}); a batch is all {count}.", batch=batch, count=count
        )
        batch = count
    method = config.method
    if method == "auto":
        method = "simclr" if batch >= _BATCH else "vicreg"
        say("Method: {method}, for batches of {count:image|images}.", method=method, count=batch)
    precision = config.precision
    if precision == "auto":
        precision = "bf16" if device == "cuda" else "fp32"
    left = None if config.budget is None else max(config.budget - spent - _FINISHING_SECONDS, 1.0)
    return PretrainRecipe(
        method=method,
        epochs=config.epochs or EPOCHS,
        batch=batch,
        views=dataset.data.views,
        temperature=config.temperature,
        lr=_RATE if config.lr == "auto" else config.lr,
        device=config.device,
        precision=precision,
        seed=config.seed,
        budget=config.budget,
        budget_seconds=left,
        augment=config.augment if dataset.check is None else dataset.check.name,
        unfreeze=blocks,
    )


def _fingerprint(dataset: PretrainDataset, sha: str, config: PretrainConfig) -> JsonObject:
    """Return what a resumed pretraining must have in common with its beginning."""
    from hashlib import blake2b

    digest = blake2b("".join(s.sha for s in dataset.samples).encode(), digest_size=8).hexdigest()
    return {"images": len(dataset.samples), "content": digest, "backbone": sha, "views": config.views}


def _say_epoch(row: PretrainRow) -> None:
    values = {
        "epoch": row.epoch,
        "rank": f"{row.effective_rank:.1f}",
        "views": f"{100 * row.knn_consistency:.0f}",
    }
    if row.epoch == 0:
        say("Before training: effective rank {rank}, {views} % of the views recognised.", **values)
    else:
        say(
            "Epoch {epoch}: loss {loss}, effective rank {rank}, {views} % of the views recognised.",
            loss=f"{row.loss:.4f}",
            **values,
        )


def _facts(
    config: PretrainConfig, dataset: PretrainDataset, recipe: PretrainRecipe, result: Pretrained, before: str
) -> JsonObject:
    """Return what the card says of the pretraining."""
    return {
        "method": recipe.method,
        "images": len(dataset.samples),
        "epoch": result.epoch,
        "steps": result.steps,
        "stopped_because": result.stopped_because,
        "blocks": recipe.unfreeze,
        "augment": recipe.augment,
        "augmentation": asdict(dataset.augmentation),
        "from_sha": before,
        "recipe": recipe.to_json(),
        "seconds": round(result.seconds, 1),
        "notes": list(result.notes),
    }
