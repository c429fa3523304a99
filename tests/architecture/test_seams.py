"""What passes between packages has a type: no dictionary of anything in a signature or in a field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .syntax import PACKAGE, files, nodes

_ANYTHING = re.compile(r"\b(dict|Mapping)\[str, Any\]|\bStoredJson\b")

#: Where the values are not ours to type, or were read from a file of our own.
ALLOWED = {
    "api/classifier.py:EyebrightClassifier": "scikit-learn's contract",
    "api/classifier.py:get_params": "the same",
    "cli/options.py:parse": "the words of a command line, before the options check them",
    "onnx_torch/reader.py:attributes": "attributes of ONNX nodes, of which each operator knows its own",
    "backbones/card.py:from_json": "makes a card of it",
    "report/metrics_content.py:MetricsContent": "keys of `metrics.json` that only users read",
    "report/metrics_content.py:UnknownContent": "the same",
    "report/metrics_content.py:ConformalContent": "the same",
    "report/metrics_content.py:AnomalyContent": "the same",
    "report/summary/findings.py:majority_sentence": "the same",
    "report/summary/findings.py:finetuning_sentence": "the same",
    "report/summary/findings.py:robustness_sentence": "the same",
    "sealed/card.py:SealedCard": "gives it types",
    "training/finetune/checkpoint.py:Checkpoint": "written and read by several parts of the loop",
    "training/finetune/trainer_state.py:from_json": "makes a state of it",
}


def _places(path: Path) -> Iterator[tuple[str, str]]:
    """Yield public functions and classes with the annotations of their parameters, results and fields."""
    for node in nodes(path):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            found = [field.annotation for field in node.body if isinstance(field, ast.AnnAssign)]
        else:
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            found = [one.annotation for one in given if one.annotation] + (
                [node.returns] if node.returns else []
            )
        for annotation in found:
            yield f"{path.relative_to(PACKAGE).as_posix()}:{node.name}", ast.unparse(annotation)


def test_dictionaries_of_anything_stay_inside() -> None:
    found = {place for path in files() for place, text in _places(path) if _ANYTHING.search(text)}
    assert found == ALLOWED.keys()
