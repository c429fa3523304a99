"""What options are called elsewhere: a name from another program leads to the option that means it."""

from __future__ import annotations

from collections.abc import Iterable

_CALLED = {
    "augment": "aug augmentation augmentations data_augmentation transforms",
    "backbone": "arch architecture encoder model_name net network pretrained_model",
    "batch": "batch_size batchsize bs per_device_train_batch_size train_batch_size",
    "budget": "max_time time_budget time_limit",
    "class_weights": "balanced class_weight weight_classes",
    "cost": "cost_matrix costs",
    "coverage": "confidence_level",
    "data": "data_dir data_path dataset input root source train_data train_dir",
    "device": "accelerator cuda gpu",
    "dropout": "drop drop_rate",
    "drop_path": "drop_path_rate stochastic_depth",
    "ema": "ema_decay model_ema",
    "epochs": "epoch max_epochs n_epochs nb_epochs num_epochs num_train_epochs total_epochs",
    "finetune": "fine_tune fine_tuning finetuning train_backbone unfreeze_all",
    "fp16": "half half_precision",
    "images": "files image inputs paths",
    "int8": "quantise quantize quantized",
    "label_smoothing": "smoothing",
    "lang": "language locale",
    "layer_decay": "layerwise_decay llrd",
    "loss": "criterion loss_fn loss_function objective",
    "lr": "base_lr learning_rate learningrate max_lr rate",
    "max_images": "n_images num_images",
    "model": "checkpoint_path model_path run",
    "optimizer": "opt optim optimiser",
    "out": "dest destination dir logdir out_dir output output_dir output_path project save_dir save_path",
    "patience": "early_stop early_stopping early_stopping_patience",
    "precision": "amp dtype mixed_precision",
    "processes": "gpus n_gpus nproc num_processes world_size",
    "resume": "continue resume_from resume_from_checkpoint",
    "sampler": "oversample sampling",
    "schedule": "lr_schedule lr_scheduler scheduler",
    "seed": "random_seed random_state",
    "size": "image_size img_size imgsz input_size resolution",
    "test": "test_data test_dir test_size test_split",
    "to": "export_format format formats",
    "top": "k top_k topk",
    "track": "log_to logger report_to tracker",
    "val": "val_data val_dir val_size val_split valid validation validation_data validation_split",
    "views": "tta",
    "warmup": "warm_up warmup_epochs warmup_ratio warmup_steps",
    "weight_decay": "decay l2 wd",
    "weights": "ckpt pretrained pretrained_weights weights_path",
}
_MEANINGS = {other: option for option, others in _CALLED.items() for other in others.split()}


def meant(name: str, known: Iterable[str]) -> str | None:
    """Return the option in ``known`` that another program calls ``name``; None if there is none.

    Args:
        name: as it was typed: ``--batch-size`` and ``batch_size`` are one name.
        known: options as they are written here, which is how the found one is returned.
    """
    written = {_plain(option): option for option in known}
    plain = _plain(name)
    return written.get(plain) or written.get(_MEANINGS.get(plain, ""))


def _plain(name: str) -> str:
    return name.strip("-_").replace("-", "_").casefold()
