"""Croissant 1.1: JSON-LD that says of a data set what its files are and what is in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from eyebright.data.writing.base import DataFacts
from eyebright.types import JsonObject

NAME = "croissant.json"
_IMAGE = "image"
_VERSION = "http://mlcommons.org/croissant/1.1"
_CONTEXT: JsonObject = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_KINDS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".tar": "application/x-tar",
    ".md": "text/markdown",
}
_KINDS |= {".parquet": "application/x-parquet"}


def write_croissant(folder: Path, facts: DataFacts, records: Sequence[JsonObject]) -> None:
    """Write `croissant.json` for the files in ``folder``.

    Args:
        folder: of the data.
        facts: name, labels, licence.
        records: the record sets, as writers return them.
    """
    content: JsonObject = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _VERSION,
        "name": facts.name,
        "description": f"Images with the labels {', '.join(facts.labels)}.",
        "distribution": list(_distribution(folder)),
        "recordSet": list(records),
    }
    if facts.licence is not None:
        content["license"] = facts.licence
    (folder / NAME).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def table_records(table: str, columns: Iterable[str]) -> JsonObject:
    """Return the record set of a table of CSV: one text for each column."""
    return _records(table, ({"fileObject": {"@id": table}}, columns, {}))


def parquet_records(files: Mapping[str, Sequence[Path]], columns: Iterable[str]) -> JsonObject:
    """Return the record set of Parquet files with images inside."""
    kinds = {_IMAGE: "sc:ImageObject", "label": "sc:Integer", "labels": "sc:Integer"}
    return _records("parquet", ({"fileSet": {"@id": "parquet"}}, columns, kinds))


def _records(name: str, what: tuple[JsonObject, Iterable[str], Mapping[str, str]]) -> JsonObject:
    source, columns, kinds = what
    fields: list[JsonObject] = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": column,
            "dataType": kinds.get(column, "sc:Text"),
            "source": source
            | {"extract": {"column": column}}
            | ({"transform": {"jsonPath": "bytes"}} if column == _IMAGE else {}),
        }
        for column in columns
    ]
    identity = f"records-{name.replace('/', '-')}"  # which must differ from the file's
    return {"@type": "cr:RecordSet", "@id": identity, "name": identity, "field": fields}


def _distribution(folder: Path) -> Iterable[JsonObject]:
    """Yield tables and archives with their hash, and images as one set."""
    images: set[str] = set()
    parquet = False
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix not in _KINDS:
            images.add(path.suffix)
            continue
        parquet = parquet or path.suffix == ".parquet"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "encodingFormat": _KINDS[path.suffix],
            "sha256": digest,
        }
    if parquet:
        yield _file_set("parquet", "application/x-parquet", ["data/*.parquet"])
    if images:
        yield _file_set("images", "image/*", [f"**/*{suffix}" for suffix in sorted(images)])


def _file_set(name: str, kind: str, patterns: list[str]) -> JsonObject:
    return {"@type": "cr:FileSet", "@id": name, "name": name, "encodingFormat": kind, "includes": patterns}
