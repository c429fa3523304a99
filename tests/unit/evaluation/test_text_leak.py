"""Words of texts that are spelled like names of classes."""

from __future__ import annotations

from eyebright.evaluation.text_leak import find_class_words


def test_names_of_classes_are_found_by_their_spelling() -> None:
    texts = ["A warm Hoodie", "soft hoodies in red", "rain jacket", "Jackets for all", "plain", ""]
    labels = [["hoodies"], ["hoodies"], ["jackets"], ["jackets"], ["tees"], ["tees"]]
    words = find_class_words(texts, labels)
    assert words.words == {"hoodies": ("hoodie", "hoodies"), "jackets": ("jacket", "jackets"), "tees": ()}
    assert words.leaks
    assert words.own == 4 / 5
    assert words.masked("A Hoodie and a JACKET, hoodiesque").split() == ["A", "and", "a", ",", "hoodiesque"]


def test_names_in_scripts_without_blanks() -> None:
    words = find_class_words(["这是一只猫。", "狗在跑", "天气好"], [["猫"], ["狗"], ["猫"]])
    assert words.words == {"狗": ("狗",), "猫": ("猫",)}
    assert words.masked("这是一只猫。") == "这是一只 。"


def test_names_that_stand_everywhere_give_nothing_away() -> None:
    texts = ["cat or dog"] * 4
    assert not find_class_words(texts, [["cat"], ["dog"]] * 2).leaks
    assert not find_class_words(["warm", "cold"], [["cat"], ["dog"]]).leaks
