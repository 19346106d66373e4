"""What the lines of a bill hold, in the terms of files that are brought in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from webapp.calls.models import Call
from webapp.imports.kinds import Kind
from webapp.invoice_checks.models import InvoiceCheck, InvoiceLine
from webapp.invoice_checks.schemas import InvoiceLineSchema
from webapp.validation import N_


@dataclass(frozen=True)
class Bill(Kind):
    """Lines whose times are those of a zone."""

    zone: str = ""

    def context(self) -> dict[str, Any]:
        return {"zone": ZoneInfo(self.zone)}


BILL = Bill(
    title=N_("Invoice check"),
    permission="invoice_checks",
    schema=InvoiceLineSchema,
    thing=Call,
    line=InvoiceLine,
    key=("position",),
    values=(),
    synonyms={
        "started_at": "data|data hora|data e hora|data da chamada|data da ligacao|data inicio|inicio|date|datetime|"
        "date time|start|start time|start date|call date|calldate|call start|connect time|setup time|answer time",
        "time": "hora|horario|hora inicio|hora de inicio|hora da chamada|hora da ligacao|time|call time",
        "number": "destino|numero|numero de destino|numero destino|terminal destino|numero chamado|numero discado|"
        "discado|telefone|numero b|b number|number b|bnumber|b|called|called number|callee|dialed number|"
        "destination|destination number|dst|to|cld",
        "caller": "origem|numero de origem|numero origem|terminal origem|chamador|numero chamador|bina|numero a|"
        "number a|anumber|a|caller|calling|calling number|source|src|from|cli",
        "seconds": "duracao|duracao tarifada|duracao cobrada|duracao faturada|duracao real|duracao s|duracao segundos|"
        "tempo|tempo tarifado|tempo cobrado|segundos|duration|billed duration|charged duration|rounded duration|"
        "bill duration|duration s|duration seconds|billed|billsec|billed seconds|charged seconds|bill seconds",
        "amount": "valor|valor r|valor cobrado|valor total|valor liquido|valor da chamada|valor da ligacao|custo|preco|"
        "total|total cost|amount|charged amount|cost|price|charge|value",
    },
)


def of(check: InvoiceCheck) -> Bill:
    """The kind of the lines of one bill."""
    return replace(BILL, zone=check.time_zone)
