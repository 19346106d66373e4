"""Simulator: what would become of a call, and what it would come to."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import select

from webapp import routing, store
from webapp.calls.explaining import UNRATED
from webapp.customers.models import Customer
from webapp.forms import SchemaForm, choose, form_for
from webapp.permissions import permission
from webapp.simulator import operations
from webapp.simulator.schemas import SimulationSchema

bp = Blueprint("simulator", __name__, url_prefix="/simulator")


class SimulationForm(form_for(SimulationSchema)):  # type: ignore[misc]  # mypy knows no classes that are made
    """What is asked stands in the address, so that whoever gets the address sees the same."""

    class Meta(SchemaForm.Meta):
        csrf = False  # Nothing is changed.

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            return request.args


@bp.get("/")
@permission("simulator.read")
def index() -> Any:
    """Asked are a customer and a number; an address with one of them only comes with a link, and fills it in."""
    form = SimulationForm()
    customers = select(Customer).order_by(Customer.name, Customer.code)
    choose(form.customer_id, customers, Customer.code, url_for("customers.suggestions"))
    found = None
    if {"customer_id", "number"} <= request.args.keys() and form.validate():
        try:
            found = operations.simulate(form.valid)
        except store.Refused as refused:
            form.refuse(refused)
    page = render_template(
        "simulator/index.html",
        form=form,
        found=found,
        # The same as programs write it, for whoever reads in another language.
        link=url_for(".index", **form.valid.model_dump(mode="json", exclude_defaults=True)) if found else "",
        verdicts=routing.VERDICTS,
        unrated=UNRATED,
    )
    return page, 422 if form.errors else 200
