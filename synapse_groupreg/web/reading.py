# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Endpoints that only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers import act_emergency, act_measures, looks, standing, survey, views
from synapse_groupreg.handlers.act_staff import require_account
from synapse_groupreg.handlers.measures import show, show_to_staff
from synapse_groupreg.handlers.retention import health
from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.storage import acts, measures, notices, refusals
from synapse_groupreg.web.acting import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.web.bodies import BlacklistQuery, PageQuery
    from synapse_groupreg.web.endpoint import Answer, Call
    from synapse_groupreg.web.services import Services


class Reading:
    """What staff may look at."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._run = services.database.run

    def live_policy(self) -> Answer:
        """The live rules: the configuration, and the mode that staff chose."""
        config = self._services.config
        shown = config.model_dump(
            mode="json",
            include={
                "dry_run",
                "federation",
                "preset",
                "quotas",
                "roles",
                "labels",
                "exempt",
                "on_error",
                "membership_guard",
                "second_staff",
            },
        )
        return {
            "mode": self._services.snapshot.mode,
            **shown,
            "identity": config.identity.model_dump(mode="json", exclude={"keys_path"}),
            "notices": config.notices.model_dump(mode="json", include={"enabled", "account"}),
            "retention": config.retention.model_dump(
                mode="json", include={"enabled", "keep", "keep_acts", "content", "full_content"}
            ),
            "default_language": config.texts.default_language,
        }

    async def policy(self, call: Call) -> Answer:
        """GET policy."""
        shown = self.live_policy()
        if not (call.staff.admin or call.staff.roles):
            del shown["exempt"]  # which services may do what others may not is nobody's business but staff's
        return shown

    async def status(self, _call: Call) -> Answer:
        """GET status."""
        services, snapshot = self._services, self._services.snapshot
        about, now_ms = services.about(), services.homeserver.now_ms()
        server_name = services.homeserver.server_name
        return {
            **about,
            "mode": snapshot.mode,
            "configured_mode": services.config.mode,
            "exempt": await self._run("groupreg_status", survey.exempt, services.config, server_name),
            "federated_groups": await self._run("groupreg_status", survey.federated_groups),
            "numbers": await self._run("groupreg_status", survey.numbered, server_name),
            "snapshot": {
                "version": snapshot.version,
                "accounts": len(snapshot.assurance),
                "exceptions": snapshot.exceptions,
                "age_ms": now_ms - snapshot.refreshed_ms,
            },
            "measures": await self._run("groupreg_status", standing.status, now_ms),
            "retention": await self._run("groupreg_status", health.status, services.config.retention, now_ms),
            "counters": {
                **await self._run("groupreg_status", survey.counters),
                "refusals_lost": about["refusals_lost"],
            },
        }

    async def plan(self, _call: Call) -> Answer:
        """GET plan."""
        services = self._services
        now_ms = services.homeserver.now_ms()
        return await self._run("groupreg_plan", survey.plan, services.config, services.homeserver.server_name, now_ms)

    async def account(self, call: Call) -> Answer:
        """GET accounts/{user_id}."""
        services, user_id = self._services, call.path["user_id"]
        now_ms = services.homeserver.now_ms()
        found = await self._run(
            "groupreg_account",
            looks.account,
            call.staff,
            user_id,
            services.config,
            now_ms,
            reason=call.query.reason,
            seal=services.seal,
        )
        if user_id == call.staff.user_id and not (call.staff.admin or call.staff.roles):
            del found["linked_accounts"]  # a person may have reasons to keep their accounts apart on one screen
        return found

    async def rooms(self, call: Call) -> Answer:
        """GET rooms."""
        query, now_ms = call.query, self._services.homeserver.now_ms()
        found, total = await self._run(
            "groupreg_rooms",
            views.room_list,
            self._services.config,
            now_ms,
            search=query.search,
            start=query.start,
            limit=query.limit,
        )
        return page("rooms", found, total, query)

    async def room(self, call: Call) -> Answer:
        """GET rooms/{room_id}."""
        now_ms = self._services.homeserver.now_ms()
        return await self._run("groupreg_room", views.room, call.path["room_id"], self._services.config, now_ms)

    async def group(self, call: Call) -> Answer:
        """GET groups/{number}."""
        now_ms = self._services.homeserver.now_ms()
        return await self._run("groupreg_room", views.group, call.path["number"], self._services.config, now_ms)

    async def blacklist(self, call: Call) -> Answer:
        """GET blacklist."""
        return await self._measures("blacklist", call.query, [MeasureKind.blacklisted])

    async def measures(self, call: Call) -> Answer:
        """GET measures."""
        query = call.query
        if query.due:
            now_ms = self._services.homeserver.now_ms()
            found, total = await self._run("groupreg_measures", standing.waiting, now_ms, query.start, query.limit)
            return page("measures", found, total, query)
        return await self._measures("measures", query, [] if query.kind is None else [query.kind])

    async def measure(self, call: Call) -> Answer:
        """GET measures/{measure_id}."""
        return show_to_staff(await self._run("groupreg_measures", act_measures.find, number_of(call)))

    async def emergency(self, _call: Call) -> Answer:
        """GET emergency."""
        now_ms = self._services.homeserver.now_ms()
        found = await self._run("groupreg_measures", act_emergency.standing, now_ms)
        return {"emergency": [show(one) for one in found]}

    async def _measures(self, name: str, query: BlacklistQuery, kinds: Sequence[MeasureKind]) -> Answer:
        found, total = await self._run(
            "groupreg_measures",
            measures.page,
            ended=query.all,
            subject=query.subject,
            kinds=kinds,
            now_ms=self._services.homeserver.now_ms(),
            start=query.start,
            limit=query.limit,
        )
        return page(name, [show_to_staff(one) for one in found], total, query)

    async def staff(self, _call: Call) -> Answer:
        """GET staff."""
        everybody = self._services.snapshot.staff
        return {"staff": [{"user_id": user_id, "roles": sorted(roles)} for user_id, roles in sorted(everybody.items())]}

    async def staff_member(self, call: Call) -> Answer:
        """GET staff/{user_id}."""
        user_id = call.path["user_id"]
        await self._run("groupreg_staff", require_account, user_id)
        return {"user_id": user_id, "roles": sorted(self._services.snapshot.staff.get(user_id, ()))}

    async def acts(self, call: Call) -> Answer:
        """GET acts."""
        query = call.query
        filters = query.model_dump(include={"author", "subject", "action"}, exclude_none=True)
        found, total = await self._run("groupreg_acts", acts.page, filters, query.start, query.limit)
        return page("acts", [attrs.asdict(one) for one in found], total, query)

    async def refusals(self, call: Call) -> Answer:
        """GET refusals."""
        query = call.query
        filters = query.model_dump(include={"account", "code", "room_id"}, exclude_none=True)
        found, total = await self._run("groupreg_refusals", refusals.page, filters, query.start, query.limit)
        return page("refusals", [attrs.asdict(one) for one in found], total, query)

    async def notices(self, call: Call) -> Answer:
        """GET notices. What they are about stays between the server and the person."""
        query = call.query
        filters = query.model_dump(include={"account", "state"}, exclude_none=True)
        found, total = await self._run("groupreg_notices_list", notices.page, filters, query.start, query.limit)
        shown = [attrs.asdict(one, filter=attrs.filters.exclude("facts")) for one in found]
        return page("notices", shown, total, query)


def page(name: str, found: Sequence[Any], total: int, query: PageQuery) -> Answer:
    """One page of a list, with the token of the next."""
    answer: Answer = {name: list(found), "total": total}
    after = query.start + len(found)
    return {**answer, "next_token": str(after)} if after < total else answer
