"""The same exchange, configured otherwise: from static files, or without caches. Modules and objects are the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.bench.carrier import Carrier
from tests.calls.exchange import query
from webapp.asterisk import conf
from webapp.asterisk.rows import Aor, Auth, Endpoint, Identify, Row

LOOKUP = "switch => Realtime/from-trunk@extensions/p"
# What a static exchange has no need of: to know that the database is there, and the record that it was asked.
ASKED = " same => n,Set(REALTIME_STORE("
ANSWERED = "[verdict-refused]"
TYPES: tuple[tuple[type[Row], str], ...] = (
    (Endpoint, "endpoint"),
    (Aor, "aor"),
    (Auth, "auth"),
    (Identify, "identify"),
)


def without_caches(folder: Path) -> Path:
    """Realtime, as most use it: every object is read anew for each request."""
    source = _copy(folder)
    sorcery = source / "sorcery.conf"
    sorcery.write_text("\n".join(line for line in sorcery.read_text().splitlines() if "/cache" not in line) + "\n")
    _records_at_once(source)
    return source


def static_files(folder: Path, carrier: Carrier, *, tree: bool = False) -> Path:
    """pjsip.conf and extensions.conf with all that is in the database; the dialplan does for each call what ours does,
    but looks up numbers and routes among its own lines.

    `tree`: numbers are found in a tree (extenpatternmatchnew), which Asterisk does not do unless told to.
    """
    source = _copy(folder)
    (source / "sorcery.conf").write_text("[general]\n")
    with (source / "pjsip.conf").open("a") as file:
        file.writelines(sections(carrier))
    dialplan = (source / "extensions.conf").read_text().replace(LOOKUP, "include => our-numbers")
    dialplan = _routes_are_static(dialplan)
    if tree:
        dialplan = dialplan.replace("[general]", "[general]\nextenpatternmatchnew = yes", 1)
    with (source / "extensions.conf").open("w") as file:
        file.write(dialplan)
        file.writelines(numbers(carrier))
        file.writelines(routes(carrier))
    _records_as_they_are(source)
    return source


def bare_files(folder: Path, carrier: Carrier) -> Path:
    """Static files with the least that makes a call: no limits, nothing of a call's end, no forwards."""
    source = static_files(folder, carrier)
    rows = query(carrier.url, f"SELECT exten, appdata FROM {_NUMBERS}")  # noqa: S608 - a name of ours
    with (source / "extensions.conf").open("w") as file:
        file.write("[general]\nstatic = yes\n[from-trunk]\n")
        for exten, appdata in rows:
            endpoint = appdata.partition("(")[2].partition(",")[0]
            file.write(f"exten => {exten},1,Dial(PJSIP/{exten}@{endpoint},60)\n")
        file.write("[from-internal]\n")
        for pattern, legs in _legs(carrier):
            file.write(f"exten => _{pattern},1,Dial(PJSIP/${{EXTEN}}@{legs[0].partition(':')[0]},60)\n")
    return source


def sections(carrier: Carrier) -> Iterator[str]:
    """pjsip.conf, an object each."""
    for kind, name in TYPES:
        columns = [column for column in kind.columns() if column != "id"]
        names = ", ".join(f'"{column}"' for column in ("id", *columns))
        for row in query(carrier.url, f"SELECT {names} FROM asterisk.{kind.TABLE}"):  # noqa: S608 - names of ours
            # Names are one for all types in the database, and one for each section in the file.
            yield f"\n[{row[0]}]\ntype = {name}\n" if name != "identify" else f"\n[{row[0]}-ip]\ntype = {name}\n"
            for column, value in zip(columns, row[1:], strict=True):
                if value is not None and column != "node":
                    for each in str(value).split(";") if column in ("set_var", "match") else [value]:
                        yield f"{column} = {each}\n"


_NUMBERS = "asterisk.extensions WHERE context = 'from-trunk' ORDER BY exten"


def numbers(carrier: Carrier) -> Iterator[str]:
    yield "\n[our-numbers]\n"
    for exten, appdata in query(carrier.url, f"SELECT exten, appdata FROM {_NUMBERS}"):  # noqa: S608
        yield f"exten => {exten},1,Gosub({appdata})\n"


def routes(carrier: Carrier) -> Iterator[str]:
    """For each pattern the ways out in their order, the spare ones for all numbers included."""
    yield "\n[routes]\n"
    for pattern, legs in _legs(carrier):
        yield f"exten => _{pattern},1,Set(LEGS={'&'.join(legs)})\n same => n,Goto(verdict-route,s,next)\n"


def _legs(carrier: Carrier) -> list[tuple[str, list[str]]]:
    rows = query(
        carrier.url,
        """
        SELECT r.pattern, r.priority, 'gateway-' || g.name || ':' || g.id || ':' || g.provider_id || ':${EXTEN}::0'
        FROM routes r JOIN gateways g ON g.id = r.gateway_id ORDER BY r.priority
        """,
    )
    patterns = list(dict.fromkeys(row[0] for row in rows))
    return [
        (pattern, [leg for other, _, leg in rows if pattern.startswith(other.rstrip("X.")) or pattern == other])
        for pattern in patterns
    ]


def _routes_are_static(dialplan: str) -> str:
    """The question and its answer make way for a look among the lines; the call is counted and limited all the same."""
    lines, out, skipping = dialplan.splitlines(), [], False
    for line in lines:
        if line.startswith(ASKED) and "forwards" in line:
            out.append(" same => n,Set(REDIRECTING(count,i)=0)")
            out.append(" same => n,Set(MAX_SECONDS=14400)")
            out.append(" same => n,Gosub(present,s,1(551140001234))")
            out.append(" same => n,Goto(routes,${EXTEN},1)")
            skipping = True
        elif skipping and line.startswith("include"):
            skipping = False
        if not skipping:
            out.append(line)
    return "\n".join(out) + "\n"


def _records_as_they_are(source: Path) -> None:
    """Call records go into the journal and into a table where nothing is made of them."""
    pgsql = source / "cdr_pgsql.conf"
    pgsql.write_text(pgsql.read_text().replace("table = cdr\n", "table = bare_cdr\n"))
    _records_at_once(source)


def _records_at_once(source: Path) -> None:
    """There is no agent that would have Asterisk load this."""
    with (source / "modules.conf").open("a") as file:
        file.write("load = cdr_pgsql.so\n")


def _copy(folder: Path) -> Path:
    shutil.copytree(conf.SOURCE, folder)
    return folder
