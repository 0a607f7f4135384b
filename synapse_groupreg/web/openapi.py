# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The OpenAPI document, made from the table of endpoints: it can't tell anything else than the code does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from synapse_groupreg.policy.staff import EVERYBODY, ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from synapse_groupreg.web.endpoint import Endpoint

_REF = "#/components/schemas/{model}"
_ERRORS = {
    "400": "The request is not valid; org.groupreg.fields says where and why",
    "401": "No access token, or an unknown one",
    "403": "Not permitted; the sentence names the role that is needed",
    "404": "There is no such account, room or entry",
    "409": "The request contradicts what is there",
    "503": "The retention store can't be used at the moment; the sentence says why",
}


def document(endpoints: Sequence[Endpoint], base: str, version: str) -> dict[str, Any]:
    """The document, for OpenAPI 3.1. `base` is the path of version 1 of the API."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(f"/{endpoint.path}", {})[endpoint.method.lower()] = _operation(endpoint)
    bodies = [(endpoint.body, "validation") for endpoint in endpoints if endpoint.body is not None]
    named: dict[str, Any] = {}
    for endpoint in endpoints:
        named |= _shape(endpoint.query).get("$defs", {})
    _, schemas = models_json_schema(bodies, ref_template=_REF)  # type: ignore[arg-type]  # a list of pairs is what it takes
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "synapse_groupreg",
            "version": version,
            "description": "Caps, verified members, a blacklist and the journal of those who run them.",
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": base}],
        "security": [{"accessToken": []}],
        "paths": paths,
        "components": {
            "schemas": {**named, **schemas.get("$defs", {}), "Error": _ERROR},
            "securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer"}},
        },
    }


_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["errcode", "error"],
    "properties": {
        "errcode": {"type": "string", "description": "A Matrix error code"},
        "error": {"type": "string", "description": "One sentence"},
        "org.groupreg.fields": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    error = {"content": {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}}
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}_{re.sub(r'[^a-z_]+', '_', endpoint.path).strip('_')}",
        "summary": endpoint.summary,
        "description": _who(endpoint),
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"\{(\w+)\}", endpoint.path)
            ),
            *_query(endpoint.query),
        ],
        "responses": {
            "200": {"description": "Done", "content": {endpoint.media: {"schema": _schema(endpoint.media)}}},
            **{status: {"description": text, **error} for status, text in _ERRORS.items()},
        },
    }
    if endpoint.body is not None:
        schema = {"$ref": _REF.format(model=endpoint.body.__name__)}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _schema(media: str) -> dict[str, Any]:
    # A bundle is one JSON object a line, as docs/bundle.md has it.
    return {"type": "object"} if media == "application/json" else {"type": "string"}


def _who(endpoint: Endpoint) -> str:
    if endpoint.right in EVERYBODY:
        return "For every account of this server."
    roles = sorted(role.value for role in ROLES[endpoint.right])
    own = " An account may read its own." if endpoint.own else ""
    return f"For server admins{''.join(f', {role}' for role in roles)}.{own}"


def _shape(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(ref_template=_REF) if model.model_fields else {}


def _query(model: type[BaseModel]) -> list[dict[str, Any]]:
    shape = _shape(model)
    required = shape.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.pop("description", ""),
            "schema": schema,
        }
        for name, schema in shape.get("properties", {}).items()
    ]
