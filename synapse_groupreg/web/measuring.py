# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The part of the REST API's table about measures and emergencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.staff import Right
from synapse_groupreg.web import bodies
from synapse_groupreg.web.endpoint import Endpoint

if TYPE_CHECKING:
    from synapse_groupreg.web.acting import Acting
    from synapse_groupreg.web.reading import Reading


def measure_endpoints(read: Reading, act: Acting) -> tuple[Endpoint, ...]:
    """The rows."""
    return (
        Endpoint(
            method="GET",
            path="measures",
            right=Right.read_measures,
            handle=read.measures,
            query=bodies.MeasuresQuery,
            summary="Measures on groups and people, the newest first",
        ),
        Endpoint(
            method="GET",
            path="measures/{measure_id}",
            right=Right.read_measures,
            handle=read.measure,
            summary="A measure, with the note for staff",
        ),
        Endpoint(
            method="POST",
            path="measures",
            right=Right.impose,
            handle=act.impose,
            query=bodies.ActQuery,
            body=bodies.MeasureBody,
            summary="Impose a measure, or change the open one of the kind on the same subject",
        ),
        Endpoint(
            method="DELETE",
            path="measures/{measure_id}",
            right=Right.impose,
            handle=act.lift,
            query=bodies.ActQuery,
            body=bodies.Why,
            summary="Lift a measure",
        ),
        Endpoint(
            method="PUT",
            path="measures/{measure_id}/report",
            right=Right.impose,
            handle=act.report,
            query=bodies.ActQuery,
            body=bodies.ReportBody,
            summary="Say how far the report of a measure to the authority is",
        ),
        Endpoint(
            method="GET",
            path="emergency",
            right=Right.read_measures,
            handle=read.emergency,
            summary="What is stopped for everybody now",
        ),
        Endpoint(
            method="PUT",
            path="emergency",
            right=Right.emergency,
            handle=act.emergency,
            query=bodies.ActQuery,
            body=bodies.EmergencyBody,
            summary="Stop posting, joining or founding for everybody but staff, or let it go on",
        ),
    )
