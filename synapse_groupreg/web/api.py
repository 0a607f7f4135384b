# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The REST API: every endpoint in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.policy.staff import Right
from synapse_groupreg.web import bodies
from synapse_groupreg.web.acting import Acting
from synapse_groupreg.web.appealing import appeal_endpoints
from synapse_groupreg.web.endpoint import Endpoint
from synapse_groupreg.web.exporting import ExportBody, Exporting, PartQuery
from synapse_groupreg.web.groups import group_endpoints
from synapse_groupreg.web.importing import Importing
from synapse_groupreg.web.keeping import keeping_endpoints
from synapse_groupreg.web.listing import Listing
from synapse_groupreg.web.measuring import measure_endpoints
from synapse_groupreg.web.packing import packet_endpoints
from synapse_groupreg.web.reading import Reading
from synapse_groupreg.web.searching import AboutBody, OwnQuery, SearchBody, Searching
from synapse_groupreg.web.streaming import NDJSON

if TYPE_CHECKING:
    from synapse_groupreg.web.services import Services


def endpoints(services: Services) -> tuple[Endpoint, ...]:
    """The table."""
    read, act, load, lists = Reading(services), Acting(services), Importing(services), Listing(services)
    records, export = Searching(services), Exporting(services)
    return (
        Endpoint(method="GET", path="policy", right=Right.read_policy, handle=read.policy, summary="The live rules"),
        Endpoint(
            method="GET",
            path="status",
            right=Right.read_status,
            handle=read.status,
            summary="Self-check: versions, exemptions, and settings that undercut the rules",
        ),
        Endpoint(
            method="GET",
            path="plan",
            right=Right.read_plan,
            handle=read.plan,
            summary="What the rules would do here, read only",
        ),
        Endpoint(
            method="PUT",
            path="mode",
            right=Right.set_mode,
            handle=act.mode,
            query=bodies.ActQuery,
            body=bodies.ModeBody,
            summary="Switch between dry and enforce",
        ),
        Endpoint(
            method="GET",
            path="accounts/{user_id}",
            right=Right.read_account,
            handle=read.account,
            own="user_id",
            query=bodies.LookQuery,
            summary="An account: assurance, quotas, measures, roles",
        ),
        Endpoint(
            method="PUT",
            path="accounts/{user_id}/identity",
            right=Right.verify,
            handle=act.verify,
            query=bodies.ActQuery,
            body=bodies.IdentityBody,
            summary="Record a verified identity",
        ),
        Endpoint(
            method="DELETE",
            path="accounts/{user_id}/identity",
            right=Right.verify,
            handle=act.unverify,
            query=bodies.ActQuery,
            body=bodies.Why,
            summary="Take back what staff recorded",
        ),
        Endpoint(
            method="PUT",
            path="accounts/{user_id}/quotas",
            right=Right.limit_account,
            handle=act.limit,
            query=bodies.ActQuery,
            body=bodies.AccountQuotasBody,
            summary="Limits of a person's own",
        ),
        Endpoint(
            method="GET",
            path="rooms",
            right=Right.read_rooms,
            handle=read.rooms,
            query=bodies.RoomsQuery,
            summary="Rooms and their caps",
        ),
        Endpoint(
            method="GET",
            path="rooms/{room_id}",
            right=Right.read_rooms,
            handle=read.room,
            summary="A room: founder, managers, members, measures",
        ),
        Endpoint(
            method="GET",
            path="groups/{number}",
            right=Right.read_rooms,
            handle=read.group,
            summary="The group of a number, as above",
        ),
        Endpoint(
            method="PUT",
            path="rooms/{room_id}/quotas",
            right=Right.cap_room,
            handle=act.cap,
            query=bodies.ActQuery,
            body=bodies.RoomQuotasBody,
            summary="A cap of the group's own",
        ),
        Endpoint(
            method="PUT",
            path="rooms/{room_id}/labels",
            right=Right.label_room,
            handle=act.label,
            query=bodies.ActQuery,
            body=bodies.Why,
            summary="Name the roles in a group that one founded, in one's own name",
        ),
        Endpoint(
            method="GET",
            path="blacklist",
            right=Right.read_measures,
            handle=read.blacklist,
            query=bodies.BlacklistQuery,
            summary="Entries of the blacklist, the newest first",
        ),
        Endpoint(
            method="POST",
            path="blacklist",
            right=Right.impose,
            handle=act.impose,
            query=bodies.ActQuery,
            body=bodies.BlacklistBody,
            summary="Put an entry on the blacklist",
        ),
        Endpoint(
            method="DELETE",
            path="blacklist/{measure_id}",
            right=Right.impose,
            handle=act.lift,
            query=bodies.ActQuery,
            body=bodies.Why,
            summary="Lift an entry",
        ),
        Endpoint(
            method="POST",
            path="blacklist/import",
            right=Right.impose,
            handle=lists.import_rules,
            query=bodies.ActQuery,
            body=bodies.ListBody,
            summary="Put what a policy list names on the blacklist, or nothing of it",
        ),
        Endpoint(
            method="GET",
            path="followed",
            right=Right.read_measures,
            handle=lists.followed,
            summary="Policy rooms that are followed, and which of their rules are not carried out",
        ),
        Endpoint(
            method="PUT",
            path="followed/{room_id}",
            right=Right.impose,
            handle=lists.follow,
            query=bodies.ActQuery,
            body=bodies.Why,
            summary="Carry out the rules of a policy room as they come and go",
        ),
        Endpoint(
            method="DELETE",
            path="followed/{room_id}",
            right=Right.impose,
            handle=lists.unfollow,
            query=bodies.ActQuery,
            body=bodies.Why,
            summary="Follow a policy room no more, and lift its entries",
        ),
        Endpoint(
            method="GET",
            path="proposals",
            right=Right.read_proposals,
            handle=lists.proposals,
            query=bodies.ProposalsQuery,
            summary="Acts that wait for a second member of staff",
        ),
        Endpoint(
            method="GET",
            path="proposals/{proposal_id}",
            right=Right.read_proposals,
            handle=lists.proposal,
            summary="A proposal, and the act in full",
        ),
        Endpoint(
            method="POST",
            path="proposals/{proposal_id}/approve",
            right=Right.decide,
            handle=lists.approve,
            query=bodies.ActQuery,
            body=bodies.Why,
            summary="Agree, and let the act be carried out",
        ),
        Endpoint(
            method="POST",
            path="proposals/{proposal_id}/reject",
            right=Right.decide,
            handle=lists.reject,
            query=bodies.ActQuery,
            body=bodies.Why,
            summary="Turn a proposal down, or take one's own back",
        ),
        Endpoint(
            method="GET", path="staff", right=Right.read_staff, handle=read.staff, summary="All staff and their roles"
        ),
        Endpoint(
            method="GET",
            path="staff/{user_id}",
            right=Right.read_staff,
            handle=read.staff_member,
            own="user_id",
            summary="The roles of an account",
        ),
        Endpoint(
            method="PUT",
            path="staff/{user_id}",
            right=Right.grant,
            handle=act.grant,
            query=bodies.ActQuery,
            body=bodies.StaffBody,
            summary="Set the roles of an account",
        ),
        Endpoint(
            method="GET",
            path="acts",
            right=Right.read_acts,
            handle=read.acts,
            query=bodies.ActsQuery,
            summary="The act journal, the newest first",
        ),
        Endpoint(
            method="GET",
            path="refusals",
            right=Right.read_refusals,
            handle=read.refusals,
            query=bodies.RefusalsQuery,
            summary="Refusals, summed up by account, code and minute",
        ),
        Endpoint(
            method="GET",
            path="notices",
            right=Right.read_notices,
            handle=read.notices,
            query=bodies.NoticesQuery,
            summary="Messages that explain refusals: sent, waiting, dropped",
        ),
        Endpoint(
            method="POST",
            path="records/search",
            right=Right.search_records,
            handle=records.search,
            body=SearchBody,
            summary="Search the retention store, the newest first; the search is recorded",
        ),
        Endpoint(
            method="POST",
            path="records/about",
            right=Right.search_records,
            handle=records.about,
            body=AboutBody,
            summary="What is kept of what an account did, and who looked, as its owner sees it; the look is recorded",
        ),
        Endpoint(
            method="GET",
            path="accounts/{user_id}/records",
            right=Right.search_records,
            handle=records.own,
            own="user_id",
            query=OwnQuery,
            summary="What is kept of what one did oneself, and who looked",
        ),
        Endpoint(
            method="POST",
            path="exports",
            right=Right.export_records,
            handle=export.ask,
            query=bodies.ActQuery,
            body=ExportBody,
            summary="Ask for records as bundles that anybody verifies; answers once that is recorded",
        ),
        Endpoint(
            method="GET",
            path="exports/{export_id}",
            right=Right.export_records,
            handle=export.download,
            query=PartQuery,
            media=NDJSON,
            summary="Download a bundle; the download is recorded",
        ),
        Endpoint(
            method="POST",
            path="imports",
            right=Right.verify,
            handle=load.begin,
            body=bodies.Why,
            summary="Begin an import of identities",
        ),
        Endpoint(
            method="PUT",
            path="imports/{import_id}/rows",
            right=Right.verify,
            handle=load.stage,
            body=bodies.ImportRowsBody,
            summary="Stage the next lines of an import",
        ),
        Endpoint(
            method="POST",
            path="imports/{import_id}/commit",
            right=Right.verify,
            handle=load.commit,
            query=bodies.ActQuery,
            summary="Record all staged identities, or none",
        ),
        Endpoint(
            method="DELETE",
            path="imports/{import_id}",
            right=Right.verify,
            handle=load.discard,
            summary="Give an import up",
        ),
        *group_endpoints(services),
        *keeping_endpoints(services),
        *measure_endpoints(read, act),
        *appeal_endpoints(services),
        *packet_endpoints(services),
    )
