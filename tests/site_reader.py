"""Sites as readers without a browser have them: tags, texts, links."""

import html.parser
from pathlib import Path

__all__ = ["Page", "read_pages", "read_site"]

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Tags, texts and ids of a page; refuses tags that are not closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.texts, self.ids, self.links = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        """All that is shown, with single blanks."""
        return " ".join(" ".join(self.texts).split())

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """Every tag with every attribute that it has somewhere."""
        return {(tag, name) for tag, attrs in self.tags for name in ("", *attrs)}

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        for name in ("href", "src"):
            if name in attrs:
                self.links.append(attrs[name])

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        self.tags.append(("!--", {data: ""}))

    def handle_data(self, data):
        self.texts.append(data)


def read_pages(index: Path) -> dict[str, Page]:
    """Every page of a site, by its path."""
    root = index.parent
    return {
        path.relative_to(root).as_posix(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(root.rglob("*.html"))
    }


def read_site(index: Path) -> str:
    """All that the pages of a site show, with single blanks."""
    return " ".join(page.text for page in read_pages(index).values())
