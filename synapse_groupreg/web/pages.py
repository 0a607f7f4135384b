# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all pages share: the frame around them, the style sheet, the headers, the sentences in one language.

A page needs no account and no script, and loads nothing from anywhere. Whatever is put into one is escaped.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources

import jinja2
from markupsafe import Markup

from synapse_groupreg import texts

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("synapse_groupreg.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)
# The style sheet is ours and holds no "</": it may stand in the page as it is.
_CSS = resources.files(__package__).joinpath("templates", "page.css").read_text(encoding="utf-8")
_CSS_HASH = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
_CONTACT_SCHEMES = ("mailto:", "https://", "http://")

HEADERS: dict[str, str] = {
    # No frame-ancestors and no X-Frame-Options: clients may show the page as a room's widget, and nothing on it acts.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; base-uri 'none'; form-action 'none'"
    ),
    "Content-Type": "text/html; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Staff change the rules while the server runs; whoever follows a refusal's link should not see old ones for long.
    "Cache-Control": "public, max-age=60",
    "Vary": "Accept-Language",
}
"""What goes with a page; the caller adds Content-Language."""


def render(template: str, language: str, *, contact: str | None = None, query: str = "", **facts: object) -> bytes:
    """A page in one of `texts.LANGUAGES`.

    `contact` is where people can write who can't log in: a mailto: or https: address, shown as a link. `query` is what
    stands behind the language in the links to the page in other languages.
    """
    page = _ENVIRONMENT.get_template(template).render(
        t=functools.partial(_text, language),
        list=functools.partial(_sentences, language),
        gap=texts.text("format.gap", language),
        css=Markup(_CSS),  # noqa: S704 - ours, see above
        language=language,
        languages=[(tag, texts.text("language.name", tag)) for tag in texts.LANGUAGES],
        contact=contact if contact and contact.startswith(_CONTACT_SCHEMES) else None,
        query=query,
        **facts,
    )
    return page.encode()


def _text(language: str, key: str, /, **facts: object) -> str:
    return texts.text(key, language, **facts)


def _sentences(language: str, key: str, /, **facts: object) -> tuple[str, ...]:
    return texts.sentences(key, language, **facts)
