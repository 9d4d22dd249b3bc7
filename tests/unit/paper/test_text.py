"""What counts as prose, which digits in it are typed by hand, and where a number stands."""

from __future__ import annotations

import pytest

from lift.paper.text import named, place, prose, swallowed, typed_digits


@pytest.mark.parametrize(
    "text",
    [
        "It covers #n(\"covered_95\") of them.",
        "The model $y_t = 3 x_t$ and `log1p(2)` and\n```\n12 lines\n```",
        "// 98% of this is a comment\nand https://example.com/page8 stays",
        "As @talts2018 and @tab-2 say, in 2018 and on 15 June 2020 and in May 2021.",
        "#set text(size: 10pt)\n#let wide = 12cm\n= Title <sec-1>",
        "#figure(table(columns: 3, [a], ..rows(\"v2\")), caption: [No digit]) <fig-2>",
        "#rows(\"v\").chunks(2).map(((a, b)) => a + b).join(\", \") and so on",
        "posts p01 to p20 in R2D2, Hidalgo-4",
        "/* 17 */ #chart(\"power3\", width: 92%, caption: [By size.])",
    ],
    ids=[
        "named", "math and raw", "comments", "references and dates", "code", "figure", "chain",
        "names", "block comment",
    ],
)  # fmt: skip
def test_these_digits_may_be_typed(text: str) -> None:
    assert typed_digits(text) == []


@pytest.mark.parametrize(
    ("text", "digit"),
    [
        ("It covers 98.3% of them.", "98.3%"),
        ("On 15 June there were many.", "15"),
        ("#figure(table([7], ..rows(\"v\")), caption: [None])", "7"),
        ("#chart(\"a\", caption: [The 4 methods.])", "4"),
        ("#figure(table(\"12 posts\"))", "12"),
        ("#strong[all 9] are there", "9"),
        ("A price of \\$5 is 5", "5"),
        ("#n(\"a\") of 20.", "20."),
        ("In 2018 posts of 1,500", "1,500"),
        ("year 2,018", "2,018"),
    ],
    ids=[
        "prose", "a day alone", "cell", "caption", "string in code", "in content", "escaped",
        "behind a number", "behind a year", "no year",
    ],
)  # fmt: skip
def test_these_may_not(text: str, digit: str) -> None:
    found = typed_digits(text)
    assert found
    assert found[0].startswith(f"line 1: {digit} in ")


def test_prose_keeps_lines_and_positions() -> None:
    text = 'One $x\n+ 1$ two #n("a")\nthree'
    assert len(prose(text)) == len(text)
    assert prose(text).split() == ["One", "two", "three"]
    assert typed_digits(text + " 4") == ["line 3: 4 in 'three 4'"]


def test_named_things_have_their_places() -> None:
    text = 'A #n("a") and #n("b"). // #n("c")\n#table(..rows("t"), head: head("t", "x"), [#n("a")])'
    found = named(text)
    assert set(found) == {("number", "a"), ("number", "b"), ("table", "t")}
    assert [text[at:].startswith('n("a")') for at in found["number", "a"]] == [True, True]
    assert len(found["table", "t"]) == 2


def test_a_place_is_the_sentence() -> None:
    text = 'Title\n\nFirst one. The share is\n#n("a") of #n("b"). Last one.\n\nOther'
    spot = place(text, text.index('n("a")'), {"a": "98%", "b": "20"})
    assert spot.line == 4
    assert spot.sentence == "The share is 98% of 20."


def test_a_swallowed_semicolon_is_seen() -> None:
    assert swallowed('a #n("x"); b\nc #n("y"), d; e') == ['line 1: #n("x");']
