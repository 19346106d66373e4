"""Users, for programs. A password can be written and not read."""

from __future__ import annotations

from webapp.accounts import operations
from webapp.accounts.models import User
from webapp.accounts.schemas import UserSchema
from webapp.api import resource
from webapp.users.lists import USERS

resource(
    "users",
    User,
    UserSchema,
    listing=USERS,
    save=operations.save,
    remove=operations.delete_other,
)
