"""The text of a paper: where it prints what, and which digits in it were typed by hand.

A digit in the running text must come from a named number. These may be typed: what stands in
equations, raw text and code; labels and citations; years from 1900 to 2099, with the day and the
month before them; digits that end a word (``p01``), which are names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

CALL = re.compile(r'\b(?P<kind>n|rows|head|chart)\("(?P<name>[^"]+)"')
"""A named number, table or figure in the text."""
KINDS = {"n": "number", "rows": "table", "head": "table", "chart": "figure"}

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_ALLOWED = re.compile(
    rf"\b(?:\d{{1,2}}\s+)?(?:(?:{_MONTHS})\s+)?(?:19|20)\d\d\b(?![.,]?\d|%)|[A-Za-z][\w-]*\d+\b"
)
_BARE_DAY = re.compile(r"^\d{1,2}\s+(?:19|20)")
_DIGITS = re.compile(r"\d[\d.,]*%?")
_NAMES = re.compile(r"<[\w:.-]+>|@[\w:-]+(?:\.[\w:-]+)*")
_PROSE_FREE = re.compile(r"(?:n|rows|head|chart|label|import|bibliography|image|json)\s*\(?\s*$")
_METHOD = re.compile(r"\.\w[\w-]*(?=[(\[])")
_WHOLE_LINE = re.compile(r"(?:let|set|show|import|include)\b")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z#*_])|^=+ .*\n|\n(?=[/+-] )", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """Where a paper prints a named thing.

    Attributes
    ----------
    line : int
        From 1.
    sentence : str
        The sentence around it, with the numbers that the paper was written with.
    """

    line: int
    sentence: str


class _Scan:
    """Blanks everything of a Typst text that is not its prose; newlines stay."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.out = [char if char == "\n" else " " for char in source]

    def prose(self) -> str:
        self._text(0, "")
        return "".join(self.out)

    def _text(self, at: int, end: str) -> int:
        """Scan prose from ``at`` to the bracket ``end``; return the position after it."""
        source = self.source
        depth = 0
        while at < len(source):
            char = source[at]
            if char == "\\":
                at += 2
            elif skipped := self._skipped(at):
                at = skipped
            elif char == "#" and at + 1 < len(source):
                at = self._code_start(at + 1)
            elif end and char == "]" and depth == 0:
                return at + 1
            elif match := _NAMES.match(source, at):
                at = match.end()
            else:
                depth += {"[": 1, "]": -1}.get(char, 0)
                self.out[at] = char
                at += 1
        return at

    def _skipped(self, at: int) -> int:
        """Return where the comment, raw text or equation that begins here ends, 0 for none."""
        source = self.source
        if source.startswith("//", at) and source[at - 1 : at] != ":":
            return _after(source, "\n", at)
        if source.startswith("/*", at):
            return _after(source, "*/", at + 2)
        if source[at] == "`":
            ticks = re.match("`+", source[at:])
            mark = ticks.group(0) if ticks else "`"
            return _after(source, mark, at + len(mark))
        if source[at] == "$":
            stop = at + 1
            while stop < len(source) and source[stop] != "$":
                stop += 2 if source[stop] == "\\" else 1
            return stop + 1
        return 0

    def _code_start(self, at: int) -> int:
        """Scan an expression after its hash; return the position after it."""
        source = self.source
        if _WHOLE_LINE.match(source, at):
            return self._code(at, "\n")
        if source[at] in "([{":
            return self._bracket(at)
        if source[at] == '"':
            return self._string(at)
        match = re.compile(r"[\w.-]*\w").match(source, at)
        at = match.end() if match else at
        while at < len(source):
            if source[at] in "([":
                at = self._bracket(at)
            elif match := _METHOD.match(source, at):
                at = match.end()
            else:
                break
        return at

    def _bracket(self, at: int) -> int:
        if self.source[at] == "[":
            return self._text(at + 1, "]")
        return self._code(at + 1, {"(": ")", "{": "}"}[self.source[at]])

    def _code(self, at: int, end: str) -> int:
        """Scan code to the sign ``end``; content within it is prose, its strings too."""
        source = self.source
        while at < len(source):
            char = source[at]
            if char == end:
                return at + 1
            if char in "([{":
                at = self._bracket(at)
            elif char == '"':
                at = self._string(at)
            elif skipped := self._skipped(at):
                at = skipped - (end == "\n" and source[skipped - 1 : skipped] == "\n")
            else:
                at += 1
        return at

    def _string(self, at: int) -> int:
        stop = at + 1
        while stop < len(self.source) and self.source[stop] != '"':
            stop += 2 if self.source[stop] == "\\" else 1
        if not _PROSE_FREE.search(self.source, max(0, at - 20), at):
            self.out[at + 1 : stop] = self.source[at + 1 : stop]
        return stop + 1


def _after(source: str, mark: str, at: int) -> int:
    found = source.find(mark, at)
    return len(source) if found < 0 else found + len(mark)


def prose(source: str) -> str:
    """Return a Typst text with blanks for all that is not prose; positions and lines stay."""
    return _Scan(source).prose()


def typed_digits(source: str) -> list[str]:
    """Return the digits typed into the prose of a Typst text, each with line and surroundings."""
    text = prose(source)
    for match in _ALLOWED.finditer(text):
        if not _BARE_DAY.match(match.group(0)):
            text = text[: match.start()] + " " * len(match.group(0)) + text[match.end() :]
    found = []
    for match in _DIGITS.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        whole = " ".join(source.splitlines()[line - 1].split())
        found.append(f"line {line}: {match.group(0)} in '{whole}'")
    return found


def swallowed(source: str) -> list[str]:
    """Return where a semicolon stands behind a named thing: Typst takes it for the end of code."""
    return [
        f"line {source.count(chr(10), 0, match.start()) + 1}: {match.group(0)}"
        for match in re.finditer(r'#(?:n|rows|head|chart)\("[^"]+"\);', source)
    ]


def named(source: str) -> dict[tuple[str, str], list[int]]:
    """Return the positions at which a text names numbers, tables and figures, by kind and name."""
    found: dict[tuple[str, str], list[int]] = {}
    for match in CALL.finditer(_without_comments(source)):
        found.setdefault((KINDS[match["kind"]], match["name"]), []).append(match.start())
    return found


def _without_comments(source: str) -> str:
    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group(0))

    return re.sub(r"(?<!:)//[^\n]*|/\*.*?\*/", blank, source, flags=re.DOTALL)


def place(source: str, position: int, printed: Mapping[str, str]) -> Place:
    """Return the line and the sentence around a position.

    Parameters
    ----------
    source : str
        The Typst text.
    position : int
    printed : mapping of str to str
        The named numbers as the paper prints them.

    Returns
    -------
    Place
    """
    start = source.rfind("\n\n", 0, position) + 2 if "\n\n" in source[:position] else 0
    stop = source.find("\n\n", position)
    paragraph = source[start : stop if stop >= 0 else len(source)]
    within = position - start
    bounds = [0, *(m.end() for m in _SENTENCE_END.finditer(paragraph)), len(paragraph)]
    first = max(bound for bound in bounds[:-1] if bound <= within)
    last = min(bound for bound in bounds[1:] if bound > within)
    sentence = re.sub(
        r'#?\bn\("([^"]+)"\)', lambda m: printed.get(m[1], f"?{m[1]}?"), paragraph[first:last]
    )
    return Place(source.count("\n", 0, position) + 1, " ".join(sentence.split()))
