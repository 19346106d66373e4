"""Every text an operator reads is there in Portuguese, and what stands in the files is what is used."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask.testing import FlaskClient

import webapp
from tests.web.html import alert, error_at

ROOT = Path(webapp.__file__).parent
PO = ROOT / "translations" / "pt_BR" / "LC_MESSAGES" / "messages.po"
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None, "N_": None}
# What both languages call alike.
SAME = {
    "Gateway",
    "Gateways",
    "gateway",
    "DID",
    "E-mail",
    "Webhook",
    "DIDs",
    "Status",
    "Codecs",
    "Total",
    "Menu",
    "Token",
    "Token %(name)s",
    "%(name)s: %(kind)s (%(count)s)",
    "%(minimum)s + %(step)s s",
}


@cache
def translations() -> dict[tuple[str, ...], tuple[str, ...]]:
    """The texts of the file for translators: each in the singular and perhaps the plural -> the same in Portuguese."""
    with PO.open("rb") as file:
        catalogue = read_po(file, locale="pt_BR")
    assert not catalogue.obsolete
    assert not [message.id for message in catalogue if message.fuzzy]
    return _texts(catalogue)


def _texts(catalogue: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {_several(message.id): _several(message.string) for message in catalogue if message.id}


def _several(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)[sd]|\{\w+\}", text))


def test_nothing_is_missing_and_nothing_is_left_over() -> None:
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]  # Babel leaves it so
    extracted = {_several(ids) for _, _, ids, _, _ in extract_from_dir(ROOT, methods, options, KEYWORDS)}
    assert extracted - translations().keys() == set()
    assert translations().keys() - extracted == set()
    assert len(extracted) > 200


def test_every_text_is_translated() -> None:
    for ids, texts in translations().items():
        assert all(texts), ids
        assert (ids == texts) == (ids[0] in SAME), ids


def test_every_placeholder_is_kept() -> None:
    for ids, texts in translations().items():
        for id, text in zip(ids, texts, strict=True):
            assert _placeholders(text) == _placeholders(id), ids


def test_a_sentence_stays_a_sentence() -> None:
    for (first, *_), (text, *_) in translations().items():
        if not first.endswith("# - only."):  # Where a dot would look like one more sign.
            for end in (".", "…", ":"):
                assert first.endswith(end) == text.endswith(end), first


def test_the_compiled_file_is_that_of_the_texts() -> None:
    with PO.with_suffix(".mo").open("rb") as file:
        assert _texts(read_mo(file)) == translations()


@pytest.fixture
def brazilian(client: FlaskClient) -> FlaskClient:
    client.post("/language", data={"language": "pt_BR"})
    return client


def test_pages_speak_portuguese(brazilian: FlaskClient) -> None:
    page = brazilian.get("/").text
    assert '<html lang="pt-BR">' in page
    for word in ("Painel", "Clientes", "Ramais", "DIDs", "Provedores", "Gateways", "Rotas", "Sair"):
        assert word in page
    page = brazilian.post("/providers/new", data={"name": "Norte", "type": "both"}, follow_redirects=True).text
    assert alert(page) == "Provedor Norte salvo."


def test_what_a_schema_refuses_is_told_in_portuguese(brazilian: FlaskClient) -> None:
    page = brazilian.post("/customers/new", data={"type": "trunk", "trunk_port": "70000", "trunk_ip": "x"}).text
    assert error_at(page, "code") == "Este campo é obrigatório."
    assert error_at(page, "trunk_port") == "Use 65535 ou menos."
    assert error_at(page, "trunk_ip") == "“x” não é um endereço IP nem uma rede (CIDR)."
    assert '<label class="form-label required" for="code">Código</label>' in page


def test_plurals(brazilian: FlaskClient) -> None:
    brazilian.post("/providers/new", data={"name": "Norte", "type": "both"}, follow_redirects=True)
    found = re.search(r'<option value="([0-9a-f-]{36})">', brazilian.get("/dids/new").text)
    assert found
    for first, count, said in (("551140001000", "1", "1 DID criado."), ("551140002000", "2", "2 DIDs criados.")):
        data = {"number": first, "count": count, "provider_id": found[1], "status": "available"}
        assert alert(brazilian.post("/dids/new", data=data, follow_redirects=True).text) == said


def test_a_number_beyond_all_reason_is_refused_in_portuguese(brazilian: FlaskClient) -> None:
    page = brazilian.post("/customers/new", data={"trunk_port": "9" * 5000}).text
    assert error_at(page, "trunk_port") == "O número é grande demais."
