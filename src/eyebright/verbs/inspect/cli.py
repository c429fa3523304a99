"""`eyebright inspect`: what a file is, where it comes from, and whether it was changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from eyebright.runs.summary import figure_rows
from eyebright.text.format import split_name
from eyebright.text.language import translate
from eyebright.text.table import printable, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.inspect.inspect import Inspection
    from eyebright.verbs.inspect.options import InspectConfig

_LABELS = 20


def _config() -> type[InspectConfig]:
    from eyebright.verbs.inspect.options import InspectConfig

    return InspectConfig


def _run(config: InspectConfig) -> int:
    from eyebright.verbs.inspect.inspect import inspect

    found = inspect(config)
    if config.json_:
        print(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(_parts(found)))
    return 0 if found.untouched else 1


def _parts(found: Inspection) -> Iterator[str]:
    yield _heading(found)
    yield table([*_graph(found), *_origin(found)])
    if found.metrics:
        split = split_name(str(found.metrics.get("split")))
        title = translate("Measured at training time, on the {split} split:", split=split)
        yield f"{title}\n\n{table(figure_rows(found.metrics), right=(1,))}"
    yield table([*_hashes(found), *_versions(found)])
    yield "\n".join(_verdict(found))


def _heading(found: Inspection) -> str:
    path = printable(str(found.path))
    if found.kind == "sealed":
        return translate("Sealed model: {path}", path=path)
    text = translate(
        "Export to {format}, {precision}: {path}",
        format=found.format,
        precision=found.precision,
        path=path,
    )
    return text if found.passed else f"{text}  {translate('REJECTED')}"


def _graph(found: Inspection) -> Iterator[tuple[str, str]]:
    if found.signature:
        for tensor in found.signature.inputs:
            yield translate("Input"), str(tensor)
        for tensor in found.signature.outputs:
            yield translate("Output"), str(tensor)
    elif found.input:
        from eyebright.exporting.certificate.signature import with_sizes

        size = int(found.card["preprocessing"]["size"]) if found.card else None
        yield translate("Interface"), with_sizes(found.input, size, len(found.labels))


def _origin(found: Inspection) -> Iterator[tuple[str, str]]:
    if found.labels:
        shown = ", ".join(printable(label) for label in found.labels[:_LABELS])
        if (more := len(found.labels) - _LABELS) > 0:
            shown += " " + translate("and {count} more", count=more)
        yield translate("Classes"), f"{len(found.labels)}: {shown}"
    if card := found.card:
        preprocessing = card["preprocessing"]
        yield translate("Backbone"), f"{card['backbone']}, {preprocessing['size']} px"
        yield translate("Source"), str(card.get("source", "-"))
        kept = {key: preprocessing[key] for key in ("interpolation", "mean", "std")}
        yield translate("Preprocessing"), ", ".join(f"{key} {value}" for key, value in kept.items())
    unknown = translate("unknown")
    yield translate("Licence of the weights"), found.licence.get("weights") or unknown
    yield translate("Licence of the data"), printable(found.licence.get("data") or unknown)


def _hashes(found: Inspection) -> Iterator[tuple[str, str]]:
    names = {
        "sha256": translate("SHA-256"),
        "parent_sha256": translate("SHA-256 of the baseline"),
        "config_sha256": translate("SHA-256 of config.toml"),
        "data_sha": translate("Hash of the data"),
    }
    for key, name in names.items():
        if value := found.hashes.get(key):
            yield name, value


def _versions(found: Inspection) -> Iterator[tuple[str, str]]:
    names = {"training": translate("Trained with"), "export": translate("Exported with")}
    for key, name in names.items():
        if versions := found.versions.get(key):
            yield name, _listed(versions)


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {number}" for package, number in versions.items())


def _verdict(found: Inspection) -> Iterator[str]:
    yield from found.notes
    if not found.files:
        yield translate("Integrity unknown: no hash of this file is stored beside it.")
    elif found.untouched:
        count = len(found.files)
        yield translate(
            "OK: {count:file matches its recorded hash|files match their recorded hashes}.", count=count
        )
    for check in found.files:
        name = printable(check.name)
        if check.state == "changed":
            yield translate("CHANGED: {path} differs from what was written.", path=name)
        elif check.state == "missing":
            yield translate("MISSING: {path} no longer exists.", path=name)


VERB = Verb(
    name="inspect",
    summary="Show what a model file or export is, where it comes from, and whether it was changed.",
    config=_config,
    run=_run,
    notes=(
        "Exit status: 0 if the files are as they were written, as far as their hashes are known; 1 "
        "if a file was changed or is missing."
    ),
)
