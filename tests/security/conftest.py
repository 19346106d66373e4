"""What the tests of the defences share: the fixtures of the pages, of programs, and of the role of Asterisk."""

from __future__ import annotations

from tests.schema.conftest import asterisk as asterisk
from tests.schema.conftest import owner as owner
from tests.schema.conftest import sign_in as sign_in
from tests.schema.conftest import url as url
