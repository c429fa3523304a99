"""How a result shows itself, printed and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

from eyebright.report.display import Displayed, ResultTable


class Example(Displayed):
    def display(self) -> Iterator[str | ResultTable]:
        yield "Measured on <b>:"
        yield ResultTable([("", "MB"), ("<img src=x>", "12"), ("猫", "3")], right=(1,))
        yield ResultTable([("Model", "a.onnx")], head=False)


class Cells(HTMLParser):
    """Texts by the element that they stand in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.found: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append((self.tags[-1], data))


def test_printed_it_is_aligned_text() -> None:
    assert str(Example()).splitlines() == [
        "Measured on <b>:",
        "",
        "             MB",
        "<img src=x>  12",
        "猫            3",
        "",
        "Model  a.onnx",
    ]
    assert repr(Example()) == str(Example())


def test_a_notebook_gets_tables_in_which_no_name_is_markup() -> None:
    cells = Cells(Example()._repr_html_())
    assert cells.found == [
        ("p", "Measured on <b>:"),
        ("th", "MB"),
        ("td", "<img src=x>"),
        ("td", "12"),
        ("td", "猫"),
        ("td", "3"),
        ("td", "Model"),
        ("td", "a.onnx"),
    ]
    assert not {"b", "img"} & set(cells.tags)
