"""The proof that Asterisk has what was said, for programs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from flask import Response, jsonify, make_response
from flask_babel import gettext
from flask_openapi import Tag
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from webapp import store
from webapp.api import bp, conflict
from webapp.permissions import permission
from webapp.proof import operations
from webapp.validation import N_, matching

TAGS: list[Tag | dict[str, Any]] = [Tag(name="sync", description="Whether Asterisk has what is entered here.")]

_ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
Owner = Annotated[
    str,
    AfterValidator(matching(f"((customer|extension|gateway|did):{_ID})?", N_("Choose one of the options."))),
    Field(description="`customer:<id>`, `extension:<id>`, `gateway:<id>` or `did:<id>`; empty: everything."),
]


class About(BaseModel):
    """Of what the proof is: of everything, or of one thing."""

    model_config = ConfigDict(extra="forbid")

    owner: Owner = ""


class FieldAnswer(BaseModel):
    """A column that is not as it should be. Of secrets it is only told that they differ."""

    name: str
    there: str | int | None
    wanted: str | int | None


class FindingAnswer(BaseModel):
    """A row, or an object that a node uses, that is not as it should be."""

    table: str = Field(description="`contacts` is where a phone registered from that is gone.")
    key: str
    owner: str
    what: Literal["missing", "left_over", "different"]
    fields: list[FieldAnswer]


class PartAnswer(BaseModel):
    """Asterisk's tables, or what one node uses."""

    node: str | None = Field(description="Null: the tables that all nodes read.")
    state: Literal["never", "asked", "unknown", "different", "right"]
    asked_at: dt.datetime | None
    asked_by: str | None
    finished_at: dt.datetime | None
    done: int = Field(description="So many objects were looked at, ...")
    total: int = Field(description="... of so many.")
    error: str = Field(description="Why it could not be checked.")
    differences: int
    findings: list[FindingAnswer] = Field(description="The first thousand of them.")


class ProofAnswer(BaseModel):
    """The last proof of everything or of one thing."""

    owner: str
    state: Literal["never", "asked", "unknown", "different", "right"] = Field(description="What is worst counts.")
    parts: list[PartAnswer]
    by_hand: dict[str, list[str]] = Field(description="Rows that are none of ours, by table. They are left alone.")


class RepairAnswer(BaseModel):
    """What was done. A new proof is asked for at once."""

    rows: int = Field(description="Set right in the tables.")
    orders: int = Field(description="Given to the nodes, to read anew what they use.")


def _shown(scope: str) -> dict[str, Any]:
    proof = operations.last(scope)
    parts = [_part(part) for part in proof.parts]
    answer = ProofAnswer(owner=scope, state=proof.state, parts=parts, by_hand=dict(proof.by_hand))
    return answer.model_dump(mode="json")


def _part(part: operations.Part) -> PartAnswer:
    check = part.check
    return PartAnswer(
        node=part.node or None,
        state=part.state,
        asked_at=check.asked_at if check else None,
        asked_by=check.asked_by if check else None,
        finished_at=check.finished_at if check else None,
        done=check.done if check else 0,
        total=check.total if check else 0,
        error=part.reason,
        differences=check.differences if check else 0,
        findings=[FindingAnswer.model_validate(finding) for finding in check.findings] if check else [],
    )


@bp.get("/sync/", tags=TAGS, summary="Read the last proof", responses={200: ProofAnswer})
@permission("proof.read")
def sync_read(query: About) -> Response:
    """What was found last, in Asterisk's tables and at each node in service."""
    return jsonify(_shown(query.owner))


@bp.post("/sync/check", tags=TAGS, summary="Ask for a proof", responses={202: ProofAnswer})
@permission("proof.write")
def sync_check(body: About) -> Response:
    """The tables are compared at once; the nodes answer in `/sync/` when they can."""
    operations.ask(body.owner)
    return make_response(_shown(body.owner), 202)


@bp.post("/sync/repair", tags=TAGS, summary="Repair what was found", responses={200: RepairAnswer})
@permission("proof.write")
def sync_repair(body: About) -> Response:
    """Rows are set right, and nodes read anew what the last proof found them to use wrongly. 409: a row made by hand
    stands where one of ours belongs."""
    try:
        receipt = operations.repair(body.owner)
    except store.Refused as refused:
        return conflict(gettext(operations.IN_THE_WAY, constraint=refused.constraint))
    return jsonify(RepairAnswer(rows=len(receipt.changes), orders=len(receipt.orders)).model_dump())
