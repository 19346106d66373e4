"""What a page says, as the tests ask for it: what its form holds, and what is wrong at a field."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

Attributes = list[tuple[str, str | None]]


def filled_in(page: str) -> dict[str, str]:
    """What a browser would send if the form of the page were submitted as it stands."""
    parser = _Form()
    parser.feed(page)
    return parser.values


def error_at(page: str, field: str) -> str:
    """What stands at a field as its error; empty if nothing does."""
    found = re.search(rf'<div class="field-error" id="{field}-error">.*?<span>(.*?)</span>', page, re.DOTALL)
    return unescape(found[1]) if found else ""


def hint_at(page: str, field: str) -> str:
    """The help below a field."""
    found = re.search(rf'<div class="form-hint" id="{field}-help">(.*?)</div>', page, re.DOTALL)
    return unescape(found[1]) if found else ""


def alert(page: str) -> str:
    """The words of the first alert of a page, without its tags."""
    found = re.search(r'<div class="alert .*?<div>(.*?)</div>', page, re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[1])).split()) if found else ""


def rows(page: str) -> list[str]:
    """The rows of the table of a page, each as one text."""
    found = re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in found]


def facts(page: str) -> dict[str, str]:
    """What the page of a thing says of it: label -> text."""
    found = re.findall(r"<dt>(.*?)</dt><dd(?: [^>]*)?>(.*?)</dd>", page, re.DOTALL)
    return {unescape(label): " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split()) for label, text in found}


class _Form(HTMLParser):
    """Collects the fields of the form that is guarded against loss, which is the page's own."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._inside = False
        self._select = ""
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = "data-guard" in values
        if not self._inside:
            return
        name = values.get("name", "")
        if tag == "input" and (values.get("type") != "checkbox" or "checked" in values):
            self.values[name] = values.get("value", "")
        elif tag == "textarea":
            self._textarea = name
            self.values[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in values or self._select not in self.values):
            self.values[self._select] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.values[self._textarea] += data.lstrip("\r\n").replace("\r\n", "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = ""
        elif tag == "form":
            self._inside = False
