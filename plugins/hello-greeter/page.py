"""Reads the words of a greeting from a web page."""

from __future__ import annotations

from html.parser import HTMLParser


class _FirstParagraph(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._inside = self._over = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "p":
            self._over, self._inside = self._over or self._inside, not self._over and not self._inside

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._over, self._inside = self._over or self._inside, False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.words.append(data)


def words(html: str) -> str:
    """Return the text of the first paragraph, or raise ValueError when there is none."""
    reader = _FirstParagraph()
    reader.feed(html)
    reader.close()
    text = " ".join("".join(reader.words).split())
    if not text:
        raise ValueError("the page has no words")
    return text
