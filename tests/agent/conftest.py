"""What the tests of the agent share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.agent.fake_ami import SECRET, FakeAmi
from tests.agent.test_outbox import until
from webapp.agent.ami import Ami


@pytest.fixture
async def ami(asterisk: FakeAmi) -> AsyncIterator[Ami]:
    """A link to the Asterisk of the test."""
    link = Ami("127.0.0.1", asterisk.port, "agent", SECRET, on_event=None, on_state=lambda *_: None)
    link.start()
    await until(lambda: link.connected)
    yield link
    link.close()
