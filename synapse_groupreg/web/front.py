# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The site as Synapse has it from the start: made when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.resource import Resource
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.web.server import Request

PREFIX = "/_synapse/client/groupreg"


class Front(Resource):
    """Passes requests on. Synapse offers the site on every listener; a proxy asks the main process alone."""

    isLeaf = True  # noqa: N815 - twisted's name

    def __init__(self, site: Callable[[], Resource]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # twisted's is untyped
        self._site = site

    @override
    def render(self, request: Request) -> int | bytes:
        """Twisted's hook for a resource that answers by itself."""
        answer: int | bytes = self._site().render(request)  # type: ignore[no-untyped-call]  # twisted's is untyped
        return answer
