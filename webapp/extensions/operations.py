"""What is done with extensions besides filling in and saving."""

from __future__ import annotations

from webapp import store
from webapp.extensions.models import Extension


def reveal(extension: Extension) -> str:
    """The secret of a phone, to be typed into it. That somebody saw it is recorded."""
    secret = extension.secret
    store.record("reveal", Extension.__tablename__, extension.id, str(extension))
    store.save()
    return secret
