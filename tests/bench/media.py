"""What the media of calls take: G.711 both ways through Asterisk, 50 packets a second each way for each call."""

from __future__ import annotations

import time

from tests.bench import table, work
from tests.bench.capacity import Exchange, Way, exchange, ways
from tests.bench.carrier import Size, carrier, from_environment
from tests.bench.sipp import Calls, answering

SECONDS = from_environment("MEDIA_SECONDS", 15)  # For which so many calls are looked at.
NUMBERS = (25, 50, 100)  # Calls at once.
PACE = 10  # Calls begun in a second.
# One octet of A-law for each eighth of a millisecond; the file begins again at its end.
SILENCE = bytes([0xD5]) * 8000 * 10


def share(place: Exchange, way: Way, count: int, *, media: bool) -> float:
    """Percent of one core that Asterisk takes while so many calls go on, and none begins or ends."""
    sound = place.carrier.folder / "silence.alaw"
    sound.write_bytes(SILENCE)
    begin = count / PACE + 3
    action = f'<nop><action><exec rtp_stream="{sound},-1,8"/></action></nop>\n  ' if media else ""
    calls = Calls(
        place.carrier.folder, place.address, way.address, way.numbers, PACE, count, begin + SECONDS + 3, media=action
    )
    time.sleep(begin)
    pid = place.asterisk.pid or 0
    before, packets = work.seconds(pid), work.packets()
    time.sleep(SECONDS)
    spent, moved = work.seconds(pid) - before, work.packets() - packets
    outcome = calls.wait()
    place.quiet()
    if outcome.failed:
        table.note(f"{outcome.failed} of {count} calls failed")
    # To Asterisk, from it to the callee, the callee's echo to Asterisk; the caller does not read what comes back.
    expected = count * 50 * 3 * SECONDS
    if media and moved < 0.9 * expected:
        table.note(f"only {moved} packets of {expected:.0f} were seen on this machine")
    return 100 * spent / SECONDS


def main() -> None:
    table.head("Media: G.711 (A-law, 20 ms) both ways", "make bench B=media")
    table.columns("calls at once", "Asterisk, % of a core", "rival: the same calls without media", "% of a core a call")
    with carrier(Size(20, 10, 1000, 100, 1000)) as made, answering(made.folder, made.port), exchange(made) as place:
        way = ways(made)["inbound"]
        for count in NUMBERS:
            silent, loud = (share(place, way, count, media=media) for media in (False, True))
            table.row(str(count), loud, silent, (loud - silent) / count)


if __name__ == "__main__":
    main()
