"""The HTML document around the parts of a page: its policy, its title and its style."""

from __future__ import annotations

from rondo.monitor.report.markup import Markup, element, joined
from rondo.monitor.report.style import CONTENT_SECURITY_POLICY, STYLE


def document(title: str, *parts: Markup | None) -> str:
    """Return a page as one HTML file without scripts or external resources."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=CONTENT_SECURITY_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    body = element("body", element("main", *parts))
    return joined((Markup("<!doctype html>"), element("html", head, body, lang="en")))
