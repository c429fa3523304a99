"""Declare `eyebright export`: a model in other formats, each with its certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb, print_result

if TYPE_CHECKING:
    from eyebright.verbs.export.options import ExportConfig
    from eyebright.verbs.export.result import Exports


def _show(exports: Exports, config: ExportConfig) -> int:
    print_result(exports, config)
    return 0 if exports.passed else 1


VERB = Verb(
    name="export",
    summary="Export a model to other formats and compare each with the original.",
    show=_show,
    file=True,
)
