"""The command line's surface is frozen: people and scripts rely on it. A change here is a change for them."""

from __future__ import annotations

from eyebright.cli.options import options_of
from eyebright.cli.verbs import all_verbs

SURFACE = {
    "audit": (
        "data --out --fixes --fail-on --size --seed --lang --path --label --group --text --split --weight "
        "--time --cluster --config"
    ),
    "data": "action data --to --out --fixes --lang --path --label --group --text --split --weight --time",
    "pretrain": (
        "data --out --overwrite --backbone --weights --size --unfreeze --epochs --budget --method --batch "
        "--views --temperature --lr --augment --device --precision --processes --seed --resume --lang "
        "--path --dry-run --config"
    ),
    "train": (
        "data --out --overwrite --val --test --fixes --text-encoder --seed --size --layers --curve "
        "--views --lang --path --label --group --text --split --weight --time --task --unlabelled "
        "--transductive --dry-run --folds --split-by --group-from --target --cost --coverage "
        "--coverage-per-class --false-rejection --backbone --weights --licence --prompts --pretrain "
        "--pretrain-budget --finetune --unfreeze --gradual --batch-norm --lora --epochs --budget "
        "--patience --batch --optimizer --lr --schedule --warmup --weight-decay --layer-decay --ema "
        "--dropout --drop-path --label-smoothing --loss --class-weights --sampler --augment "
        "--random-erasing --mixup --cutmix --teacher --teacher-share --teacher-temperature "
        "--teacher-features --teacher-views --precision --device --processes --save-memory --pixel-cache "
        "--track --resume --cluster --config"
    ),
    "tune": (
        "data --trials --epochs --budget --out --overwrite --val --test --seed --backbone --weights "
        "--finetune --size --batch --device --precision --lang --resume --path --label --group --text "
        "--split --weight --time --config"
    ),
    "update": (
        "run data --out --overwrite --rename --merge --remove --fixes --lang --path --label --group "
        "--text --split --weight --time --target --cost --config"
    ),
    "suggest": "run folder --count --format --seed --lang --path --config",
    "evaluate": (
        "model data --out --overwrite --split --seed --format --columns --robustness --lang --path "
        "--label --group --text --target --cost --cluster --ood --config"
    ),
    "compare": "runs --out --seed --lang --config",
    "predict": "model images --path --text --log --top --format --null --lang --cluster --config",
    "embed": (
        "images --model --backbone --weights --licence --size --layers --neighbours --out --lang --cluster "
        "--config"
    ),
    "zero-shot": (
        "images --classes --backbone --weights --licence --prompts --multilabel --out --overwrite --top "
        "--format --lang --config"
    ),
    "monitor": (
        "log --reference --data --queue --format --seed --lang --path --label --group --text --split "
        "--weight --time --config"
    ),
    "explain": "model images --path --text --class --method --out --lang --config",
    "serve": (
        "models --host --port --token-file --tls-cert --tls-key --allow-host --deadline --max-body "
        "--max-images --max-pixels --images-root --shadow --log --keep-images --lang --config"
    ),
    "export": (
        "model --to --plain --int8 --fp16 --data --out --max-images --min-agreement --max-loss --seed "
        "--lang --path --label --group --text --split --weight --time --config"
    ),
    "distill": (
        "model --student --weights --data --out --overwrite --finetune --share --temperature --features "
        "--views --size --layers --epochs --budget --patience --batch --lr --augment --precision --device "
        "--seed --lang --path --label --group --text --split --weight --time --config"
    ),
    "prune": (
        "model --keep --importance --data --out --overwrite --epochs --budget --batch --lr --views "
        "--augment --precision --device --seed --lang --path --label --group --text --split --weight "
        "--time --config"
    ),
    "shrink": (
        "model --target --data --out --overwrite --backbone --size --candidates --int8 --budget "
        "--max-images --seed --lang --path --label --group --text --split --weight --time --config"
    ),
    "inspect": "path --json --lang",
    "benchmark": "models --threads --batch --seconds --image --out --seed --lang --config",
    "runs": "folder --where --sort --reverse --format --lang",
    "push": "run destination --include --report --public --overwrite --lang --config",
    "pull": "source directory --overwrite --lang --config",
    "models": "--search --limit --speed --json --lang",
    "cache": "--trim --clear --lang",
    "doctor": "--json --lang",
    "studio": (
        "folder --queue --text --multilabel --host --port --token-file --tls-cert --tls-key --allow-host "
        "--frame-from --public-url --lang --config"
    ),
    "demo": "--out --overwrite --seed --lang --config",
}


def test_verbs_and_options_are_as_promised():
    there = {
        verb.name: " ".join([o.spelling for o in options_of(verb.config())] + ["--config"] * verb.file)
        for verb in all_verbs()
    }
    assert there == SURFACE


def test_every_option_and_verb_has_its_help():
    silent = [
        f"{v.name} {o.spelling}" for v in all_verbs() for o in options_of(v.config()) if not o.description
    ]
    assert silent == []
    assert all(verb.summary.endswith(".") for verb in all_verbs())
