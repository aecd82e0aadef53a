"""The peer's side of the privacy benchmark: cases planted with faker, and Presidio. Runs in an environment of its own.

    python bench_data_privacy_peer.py < asked.json

Reads `{"seed", "cases", "found", "speed"}` and prints one JSON object: the planted texts (each with at most one value,
its kind and place), what Presidio finds in the first `found` of them, and its seconds on a text of `speed` characters.
Presidio has a blank spaCy pipeline, its generic pattern recognisers and those for national ids of the locales' states.
It knows no file of ours. Numbers that are nobody's (orders, times, versions, hashes) are planted, too.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import string
import sys
import time
from importlib import metadata
from typing import Any, NamedTuple

import faker
import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import SpacyNlpEngine

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "it_IT", "es_ES", "nl_NL", "pl_PL", "pt_BR", "sv_SE")
KINDS = ("mail", "card", "iban", "ip", "url_credentials", "secret", "phone", "national_id")
NOBODYS = 0.25
"""Further texts without personal data, as a share of the cases."""
PHONE_WORDS = {
    "en": ("Call me on {}", "My phone is {}", "Text {} when you are here"),
    "de": ("Meine Telefonnummer ist {}", "Bitte rufen Sie {} an", "Handy: {}"),
    "fr": ("Mon téléphone: {}", "Appelez le {}", "Portable {}"),
    "it": ("Il mio telefono è {}", "Chiamami al {}", "Cellulare: {}"),
    "es": ("Mi teléfono es {}", "Llámame al {}", "Móvil: {}"),
    "nl": ("Mijn telefoon is {}", "Bel me op {}", "Mobiel: {}"),
    "pl": ("Mój telefon to {}", "Zadzwoń pod {}", "Komórka: {}"),
    "pt": ("Meu telefone é {}", "Ligue para {}", "Celular: {}"),
    "sv": ("Min telefon är {}", "Ring mig på {}", "Mobil: {}"),
}
ID_WORDS = {
    "en_US": "My social security number is {}", "en_GB": "National Insurance number: {}",
    "de_DE": "Meine Sozialversicherungsnummer ist {}", "fr_FR": "Numéro de sécurité sociale : {}",
    "it_IT": "Il mio codice fiscale è {}", "es_ES": "Mi DNI es {}", "nl_NL": "Mijn BSN is {}",
    "pl_PL": "Mój PESEL to {}", "pt_BR": "Meu CPF é {}", "sv_SE": "Mitt personnummer är {}",
}  # fmt: skip
ENTITIES = {
    "EMAIL_ADDRESS": "mail", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "IP_ADDRESS": "ip", "PHONE_NUMBER": "phone",
    "US_SSN": "national_id", "US_ITIN": "national_id", "UK_NHS": "national_id", "UK_NINO": "national_id",
    "ES_NIF": "national_id", "ES_NIE": "national_id", "IT_FISCAL_CODE": "national_id", "PL_PESEL": "national_id",
    "SE_PERSONNUMMER": "national_id", "DE_SOCIAL_SECURITY": "national_id", "DE_TAX_ID": "national_id",
}  # fmt: skip
RECOGNISERS = (
    "EmailRecognizer", "CreditCardRecognizer", "IbanRecognizer", "IpRecognizer", "PhoneRecognizer", "UsSsnRecognizer",
    "UsItinRecognizer", "NhsRecognizer", "UkNinoRecognizer", "EsNifRecognizer", "EsNieRecognizer",
    "ItFiscalCodeRecognizer", "PlPeselRecognizer", "SePersonnummerRecognizer", "DeSocialSecurityRecognizer",
    "DeTaxIdRecognizer",
)  # fmt: skip


class Planted(NamedTuple):
    """A text with at most one value in it."""

    locale: str
    kind: str | None
    """None: nobody's number."""
    text: str
    start: int
    end: int


class Blank(SpacyNlpEngine):
    """A spaCy pipeline that only cuts text into words."""

    def __init__(self) -> None:
        super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
        self.nlp = {"en": spacy.blank("en")}

    def load(self) -> None: ...

    def is_loaded(self) -> bool:
        return True


def analyzer() -> AnalyzerEngine:
    """Return Presidio with its pattern recognisers for the kinds that are planted."""
    registry = RecognizerRegistry(supported_languages=["en"])
    for name in RECOGNISERS:
        kind = getattr(predefined_recognizers, name, None)
        if kind is not None:
            registry.add_recognizer(kind(supported_language="en"))
    return AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])


def secret(draw: random.Random) -> str:
    """Return a made-up key of a published shape."""

    def some(count: int, letters: str = string.ascii_letters + string.digits) -> str:
        return "".join(draw.choice(letters) for _ in range(count))

    def url(count: int) -> str:
        return base64.urlsafe_b64encode(draw.randbytes(count)).decode().rstrip("=")

    hexes, capitals = "0123456789abcdef", string.ascii_uppercase + string.digits
    return draw.choice(
        (
            lambda: "sk-proj-" + some(48),
            lambda: "sk-ant-api03-" + some(80),
            lambda: "sk_live_" + some(24),
            lambda: "ghp_" + some(36),
            lambda: "github_pat_" + some(22) + "_" + some(59),
            lambda: "glpat-" + some(20),
            lambda: "AKIA" + some(16, string.ascii_uppercase + "234567"),
            lambda: "AIza" + some(35),
            lambda: "hf_" + some(34),
            lambda: f"xoxb-{some(12, string.digits)}-{some(12, string.digits)}-{some(24)}",
            lambda: "npm_" + some(36),
            lambda: f"SG.{some(22)}.{some(43)}",
            lambda: "dop_v1_" + some(64, hexes),
            lambda: "SK" + some(32, hexes),
            lambda: "shpat_" + some(32, hexes),
            lambda: f"{some(9, '123456789')}:AA{some(33)}",
            lambda: ".".join(("eyJ" + url(24), "eyJ" + url(60), url(32))),
            lambda: "AGE-SECRET-KEY-1" + some(58, capitals),
            lambda: "hvs." + some(24),
            lambda: "gsk_" + some(52),
        )
    )()


def grouped(digits: str, draw: random.Random) -> str:
    """Return a card number as it is, or in groups of four."""
    mark = draw.choice(("", "", " ", "-"))
    return mark.join(digits[at : at + 4] for at in range(0, len(digits), 4)) if len(digits) == 16 else digits


def national_id(locale: str, fake: Any) -> str:
    """Return an id of the locale's state as faker makes it."""
    maker = {"de_DE": "rvnr", "es_ES": "nif", "pl_PL": "pesel", "pt_BR": "cpf"}.get(locale, "ssn")
    return str(getattr(fake, maker, fake.ssn)())


def value(kind: str, locale: str, *, fake: Any, draw: random.Random) -> str:
    """Return a made-up value of a kind."""
    if kind == "card":
        return grouped(fake.credit_card_number(), draw)
    if kind == "iban":
        iban = fake.iban()
        return draw.choice((iban, " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))))
    if kind == "ip":
        return str(fake.ipv4_public() if draw.random() < 0.7 else fake.ipv6())
    if kind == "mail":
        return str(draw.choice((fake.email, fake.company_email, fake.free_email))())
    if kind == "url_credentials":
        return f"{fake.user_name()}:{fake.password(special_chars=False)}"
    if kind == "secret":
        return secret(draw)
    return str(fake.phone_number()) if kind == "phone" else national_id(locale, fake)


def sentence(kind: str, locale: str, draw: random.Random) -> str:
    """Return a sentence with a place for the value; a third of phones have no word beside them that names them."""
    if kind == "url_credentials":
        return draw.choice(
            ("postgresql://{}@db.corp.net/main", "https://{}@git.corp.net/a.git", "redis://{}@cache:6379")
        )
    if kind == "phone" and draw.random() < 0.67:
        return draw.choice(PHONE_WORDS[locale[:2]])
    if kind == "national_id" and draw.random() < 0.8:
        return ID_WORDS[locale]
    return draw.choice(("Here it is: {}", "{}", "({})", '{{"value": "{}"}}', "Please use {} for this"))


def nobodys(draw: random.Random) -> str:
    """Return a sentence with numbers of no person."""
    some = "".join(draw.choice(string.digits) for _ in range(12))
    hexes = "".join(draw.choice("0123456789abcdef") for _ in range(40))
    return draw.choice(
        (
            f"Your order number is {some[:9]}",
            f"Order {some[:3]}-{some[3:10]}-{some[4:11]} was shipped",
            f"Invoice INV-{some[:8]} of 2025-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
            f"ticket #{some[:7]}",
            f"timestamp 17{some[:8]}",
            f"timestamp 17{some[:11]}",
            f"at 2025-0{draw.randint(1, 9)}-1{some[0]}T10:{some[1]}2:30Z",
            f"latitude 4{some[0]}.{some[1:7]}, longitude -7{some[7]}.{some[3:9]}",
            f"commit {hexes}",
            f"sha256 {hexes}{hexes[:24]}",
            f"uuid {hexes[:8]}-{hexes[8:12]}-4{hexes[12:15]}-a{hexes[15:18]}-{hexes[18:30]}",
            f"tracking number 1Z999AA1{some[:10]}",
            f"version {some[0]}.{some[1:3]}.{some[3]}.{some[4]}",
            f"SKU {some[:4]}-{some[4:8]}",
            f"ISBN 978-{some[0]}-{some[1:5]}-{some[5:9]}-{some[9]}",
            f"{some[:6]} bytes of {some[:10]}",
            f"the total is {some[0]},{some[1:4]}.{some[4:6]} EUR",
            f"room {some[:3]}, seat {some[3:5]}",
            f"flight LH{some[:4]} on 12/03/2025 at 10:{draw.randint(10, 59)}",
            f"port {some[:4]}, pid {some[:5]}",
        )
    )


def plant(count: int, seed: int) -> list[Planted]:
    """Return `count` planted values, as many of each locale, kinds in turn, then texts with nobody's numbers."""
    draw, planted = random.Random(seed), []
    makers = {locale: faker.Faker(locale) for locale in LOCALES}
    for maker in makers.values():
        maker.seed_instance(seed)
    for number in range(count):
        locale, kind = LOCALES[number % len(LOCALES)], KINDS[number // len(LOCALES) % len(KINDS)]
        fake = makers[locale]
        made = value(kind, locale, fake=fake, draw=draw)
        before, after = draw.choice(("", fake.sentence() + " ")), draw.choice(("", " " + fake.sentence()))
        said = f"{before}{sentence(kind, locale, draw)}{after}"
        start = said.index("{}")
        text = said.replace("{{", "{").replace("}}", "}") if "{{" in said else said
        start -= said[:start].count("{{")
        text = text[:start] + made + text[start + 2 :]
        planted.append(Planted(locale, kind, text, start, start + len(made)))
    planted += [Planted("", None, nobodys(draw), 0, 0) for _ in range(round(count * NOBODYS))]
    return planted


def main() -> None:
    """Read what is asked, print the planted texts and what Presidio makes of them."""
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    planted = plant(asked["cases"], asked["seed"])
    engine, wanted = analyzer(), list(ENTITIES)
    found = [
        [(ENTITIES[one.entity_type], one.start, one.end, one.score) for one in engine.analyze(case.text, "en", wanted)]
        for case in planted
    ]
    corpus = [case.text for case in random.Random(asked["seed"]).sample(planted, min(asked["speed"], len(planted)))]
    started = time.process_time()
    for text in corpus:
        engine.analyze(text, "en", wanted)
    seconds = time.process_time() - started
    version = (
        f"presidio-analyzer {metadata.version('presidio-analyzer')}, spaCy {spacy.__version__}, Faker {faker.VERSION}"
    )
    print(json.dumps({"version": version, "planted": planted, "found": found, "corpus": corpus, "seconds": seconds}))


if __name__ == "__main__":
    main()
