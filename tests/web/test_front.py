# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A process that serves no staff answers them all the same, and makes what it takes then."""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.test.requesthelper import DummyRequest

from synapse_groupreg.web.front import Front


class Behind(Resource):
    def render(self, request: DummyRequest) -> bytes:
        return b"/".join(request.postpath)


def test_the_site_is_made_by_the_first_request() -> None:
    made: list[Behind] = []

    def site() -> Behind:
        made.append(Behind())
        return made[-1]

    front = Front(site)
    assert front.isLeaf, "the site routes by itself"
    assert made == []
    assert front.render(DummyRequest([b"v1", b"status"])) == b"v1/status"
    assert len(made) == 1
