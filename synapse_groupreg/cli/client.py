# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP side of `groupreg`: one request, its errors as one sentence, lists page by page."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from urllib.parse import quote

import click
import requests
import requests.auth
from typing_extensions import override

from synapse_groupreg.cli.failures import BadInput, Failure, NotAllowed, NotFound, Refused, TooMany, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from synapse_groupreg.cli.session import Session

PREFIX = "/_synapse/client/groupreg/v1/"
CONNECT_S = 5
READ_S = 60
PAGE = 500
"""Rows asked for at once."""

PROXY_STATUSES = frozenset({502, 503, 504})
UNAUTHORIZED = 401
TOO_MANY = 429
FAILED = 500
KINDS: Mapping[int, type[Failure]] = {400: BadInput, 401: NotAllowed, 403: NotAllowed, 404: NotFound}
"""HTTP status -> how the command fails; the others are `Refused`."""

TYPED: Mapping[str, str] = {"verdicts": "codes", "entity": "subject"}
"""Field of the API -> what becomes it and is called otherwise on the command line."""

Answer: TypeAlias = dict[str, Any]


def path(*segments: str | int) -> str:
    """Join the segments of a REST path; ids hold characters that mean something in a URL."""
    return "/".join(quote(str(segment), safe="") for segment in segments)


def is_number(text: str) -> bool:
    """Whether somebody means the number of a group, right or wrong; the server knows how they are written."""
    return re.fullmatch(r"#?g?[0-9][0-9 .-]*", text, re.IGNORECASE) is not None


class BearerAuth(requests.auth.AuthBase):
    """Send our token and nothing else: without this, requests would put a ~/.netrc login in its place."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    @override
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class Client:
    """A logged-in connection to one server."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._http = requests.Session()
        self._http.headers.update({"User-Agent": "groupreg", "Accept": "application/json"})
        self._http.auth = BearerAuth(session.token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, where: str, **query: str | int | None) -> Answer:
        """Read something."""
        return self.request("GET", where, query=query)

    def ask(self, where: str, **body: object) -> Answer:
        """Read something by conditions that name people: those go into the body, which no log has."""
        given = {key: value for key, value in body.items() if value is not None}
        return self.request("POST", where, body=given)

    def act(
        self,
        method: str,
        where: str,
        body: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
        timeout: int = READ_S,
    ) -> Answer:
        """Change something, or with `dry_run` ask what would change."""
        query = {"dry_run": "true"} if dry_run else {}
        return self.request(method, where, query=query, body=dict(body or {}), timeout=timeout)

    def pages(self, where: str, **query: str | int | None) -> Iterator[Answer]:
        """Read a list page by page, following next_token."""
        token: str | None = None
        while True:
            page = self.get(where, **{**query, "from": token})
            yield page
            following = page.get("next_token")
            if following is None or str(following) == token:
                return
            token = str(following)

    def listing(self, where: str, name: str, *, limit: int = 0, **query: str | int | None) -> Answer:
        """Read a list in full, or its first `limit` rows: `{name: [...], "total": n}`."""
        rows: list[Any] = []
        total = 0
        for page in self.pages(where, limit=min(limit, PAGE) or PAGE, **query):
            rows += page.get(name, [])
            total = page.get("total", len(rows))
            if limit and len(rows) >= limit:
                rows = rows[:limit]
                break
        return {name: rows, "total": total}

    def room_id(self, room: str) -> str:
        """Accept a room id, or look one up by its alias or its number."""
        if room.startswith("!"):
            return room
        if is_number(room):
            return str(self.get(path("groups", room))["room_id"])
        if room.startswith("#") and ":" in room:
            try:
                return str(self.get(f"/_matrix/client/v3/directory/room/{path(room)}")["room_id"])
            except Refused as error:
                message = f"{error.message} See the rooms of this server with groupreg room list."
                raise type(error)(message) from None
        message = (
            "A room is named by its id, like '!abc:example.org', an alias, like '#garden:example.org', or the number of"
            " a group, like 123456786."
        )
        raise BadInput(message)

    def request(
        self,
        method: str,
        where: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: int = READ_S,
    ) -> Answer:
        """Send one request below our prefix (or to an absolute path) and give the JSON object of a success."""
        response = self._send(method, where, query=query, body=body, timeout=timeout)
        answer = json_object(response)
        if response.ok and not response.is_redirect and answer is not None:
            return answer
        raise failure(response, answer or {}, self.session)

    def room_state(self, room: str) -> list[Answer]:
        """Read the whole state of a room, as one of its members."""
        response = self._send("GET", f"/_matrix/client/v3/rooms/{path(room)}/state")
        events = response.json() if response.ok and not response.is_redirect else None
        if isinstance(events, list):
            return events
        raise failure(response, json_object(response) or {}, self.session)

    @contextmanager
    def download(self, where: str, **query: str | int | None) -> Iterator[Iterator[bytes]]:
        """Read something that may be longer than memory, piece by piece."""
        response = self._send("GET", where, query=query, stream=True)
        with response:
            if not response.ok or response.is_redirect:
                raise failure(response, json_object(response) or {}, self.session)
            yield self._pieces(response)

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(None)
        except requests.RequestException:
            text = f"{self.session.url} broke off in the middle, and nothing was kept: try again; its log says why."
            raise Refused(text) from None

    def _send(
        self,
        method: str,
        where: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: int = READ_S,
        stream: bool = False,
    ) -> requests.Response:
        url = self.session.url + (where if where.startswith("/") else PREFIX + where)
        params = {key: value for key, value in (query or {}).items() if value is not None}
        try:
            # No redirects: following one would turn a PUT into a GET and seem to have worked.
            return self._http.request(
                method,
                url,
                params=params,
                json=body,
                timeout=(CONNECT_S, timeout),
                allow_redirects=False,
                stream=stream,
            )
        except (requests.RequestException, UnicodeError) as error:
            # UnicodeError: a host name or a token with characters that can't be sent.
            raise unreachable(self.session.url, error) from None


def json_object(response: requests.Response) -> Answer | None:
    """Read the body if it is a JSON object."""
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def unreachable(url: str, error: Exception) -> Failure:
    """Say why no answer came, without requests' nested class names."""
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(f"Can't trust the certificate of {url}: check the address and the server's certificate.")
    if isinstance(error, requests.ConnectTimeout):
        return Unreachable(f"{url} doesn't answer within {CONNECT_S} s: check the address and the network.")
    if isinstance(error, requests.Timeout):
        return Unreachable(f"{url} didn't finish the request in time: look with `groupreg acts` whether it was done.")
    if isinstance(error, requests.ConnectionError):
        return Unreachable(f"Can't reach {url}: check that the server runs and that the address is right.")
    return BadInput(f"Can't send a request to {url}: check the server's address and the token.")


def failure(response: requests.Response, answer: Answer, session: Session) -> Failure:
    """Choose the sentence and the exit code for an answer that is no success."""
    if wrong := wrong_server(response, answer, session.url):
        return wrong
    status = response.status_code
    lines = field_lines(answer)
    said = str(answer.get("error") or "").strip()
    if said == "; ".join(lines):
        said = "; ".join(dict.fromkeys(lines.values()))
    said = sentence(said)
    if status == UNAUTHORIZED:
        who = session.user_id or "@you:example.org"
        said = f"Your login is not accepted. {said} Log in with: groupreg login {session.url} {who}"
    elif status == TOO_MANY:
        return TooMany(f"The server asks to wait {wait_s(answer)} s: try again then.", wait_s=wait_s(answer))
    elif status >= FAILED:
        said = f"{said or 'The server failed.'} The server's log says why (HTTP {status})."
    return KINDS.get(status, Refused)(
        said or f"The server refused without a reason (HTTP {status}).",
        [f"  {line}" for line in dict.fromkeys(lines.values()) if line not in said],
    )


def wrong_server(response: requests.Response, answer: Answer, url: str) -> Failure | None:
    """Recognise an answer that doesn't come from our module: a proxy's, another program's, a Synapse without it."""
    if response.is_redirect:
        return BadInput(f"{url} answers with a redirect: log in at the address that it leads to.")
    if response.status_code in PROXY_STATUSES and not answer:
        return Unreachable(
            f"Synapse doesn't run behind {url} (HTTP {response.status_code}): start it, or try again soon."
        )
    if not answer or answer.get("errcode") == "M_UNRECOGNIZED":
        return Refused(f"{url} has no synapse_groupreg, or an older one: check the address and the module's entry.")
    return None


def sentence(text: str) -> str:
    """End a server's text as a sentence; but for an address, of which a full stop would become a part."""
    ended = not text or text.endswith((".", "!", "?", "。")) or "://" in text.rpartition(" ")[2]
    return text if ended else f"{text}."


def field_lines(answer: Answer) -> dict[str, str]:
    """One line a field that the server found wrong, as it says it, and as who types the command knows it."""
    fields = answer.get("org.groupreg.fields") or []
    said = [(str(field.get("field")), str(field.get("problem"))) for field in fields if isinstance(field, dict)]
    return {f"{field}: {problem}": f"{named(field)}{in_options(problem)}" for field, problem in said}


def named(field: str) -> str:
    """Which option is wrong; nothing where it is several together."""
    return "" if field == "body" else f"{option_of(field)}: "


def option_of(field: str) -> str:
    """What a field of the API is called by the command that runs: `from_ms` is `--from`."""
    context = click.get_current_context(silent=True)
    name, _, place = field.partition(".")
    short = name.removesuffix("_ms").removesuffix("_id")
    for param in context.command.params if context else ():
        if param.name in (name, f"{name}s", TYPED.get(name)) or short in (
            param.name,
            *(one.lstrip("-") for one in param.opts),
        ):
            return param.opts[0] if isinstance(param, click.Option) else str(param.name).upper()
    return f"{name}.{place}" if place else name


def in_options(problem: str) -> str:
    """A sentence of the server with the names of times as options."""
    return re.sub(r"\b\w+_ms\b", lambda found: option_of(found[0]), problem)


def wait_s(answer: Answer) -> int:
    """Round up how long a limited client is to wait."""
    wait = answer.get("retry_after_ms")
    return max(1, -(-wait // 1000)) if isinstance(wait, int) else 60
