"""A phone: an endpoint that registers under its SIP user, reachable from the phones of its customer only."""

from __future__ import annotations

from collections.abc import Iterator

from webapp.asterisk.projection.dialplan import PHONES, gosub
from webapp.asterisk.projection.sip import allow, digest, media_encryption
from webapp.asterisk.rows import ANYWHERE, Aor, Auth, Endpoint, Row
from webapp.extensions.models import Extension


def project_extension(extension: Extension) -> Iterator[Row]:
    """A disabled phone has no rows: it cannot register, call or be called."""
    if not extension.enabled:
        return
    customer = extension.customer
    user = extension.sip_user
    yield Endpoint(
        id=user,
        context="from-internal",
        aors=user,
        auth=user,
        allow=allow(customer.codecs),
        accountcode=customer.code,
        set_var=(f"CUSTOMER_ID={customer.id}",),
        callerid=f'"{extension.name}" <{extension.extension}>',
        identify_by="username",
        media_encryption=media_encryption(customer.srtp),
        rewrite_contact=True,
        deny=ANYWHERE if customer.phone_networks else (),
        permit=tuple(customer.phone_networks),
    )
    # One contact: a phone that registers anew takes the place of its earlier self.
    yield Aor(id=user, max_contacts=1, remove_existing=True)
    yield Auth(id=user, auth_type="md5", username=user, md5_cred=digest(user, extension.secret))
    yield gosub(PHONES, user, "to-phone", user, customer.id)
