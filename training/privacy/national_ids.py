"""Numbers that a state gives a person: their written forms, their check digits, the words that name them.

Decisions: a form of its own (`078-05-1120`) or strong check digits are enough; a form that ordinary numbers have, too,
needs a word before it, or a field's key, that names such a number. Where that word is the id's own name, the check
digits need not be right: a number that somebody calls their social security number is treated as one.
Sources: the issuing authorities' own descriptions, named at each check (`training/privacy/national_checks.py`). Of
countries, not of companies, but for Brazil's CNPJ.
Not covered: passports and driving licences (no check digits, no common form), states' and provinces' own numbers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from training.privacy import national_checks as check
from training.privacy.checks import luhn_ok, mod_11_10_ok
from training.privacy.context import before, says_phone, says_time
from training.privacy.kinds import Finding, Pii


@dataclass(frozen=True)
class NationalId:
    """One kind of id."""

    country: str
    """ISO 3166-1 alpha-2."""
    names: str
    """A pattern of the words that name it, in small letters."""
    clear: tuple[str, ...]
    """Written forms that need no such word: `9` a digit, `A` a capital letter, all else itself."""
    named: tuple[str, ...]
    """Written forms that do."""
    valid: Callable[[str], bool] | None = None
    date: tuple[int, str] | None = None
    """Where the canonical form has a date, and how it is written: `d`, `m` and `y`, a letter for each digit."""
    keep: int = 0
    """Characters at its beginning that are the same for everybody."""
    checks: tuple[int, ...] = (-1,)
    """Places of the check characters."""


IDS = (
    NationalId("US", r"\bssn\b|social.?sec", ("999-99-9999",), ("999999999", "999 99 9999"), check.us_ssn, checks=()),
    NationalId("US", r"\bitin\b|tax.?payer", ("999-99-9999",), ("999999999",), check.us_itin, keep=1, checks=()),
    NationalId("CA", r"\bsin\b|social.?ins", ("999-999-999",), ("999999999", "999 999 999"), check.ca_sin),
    NationalId("GB", r"\bnino?\b|national.?insur|\bssn\b|social.?sec", ("AA999999A", "AA 99 99 99 A", "AA 999999 A",
               "AA-99-99-99-A", "AA999999 A"), (), check.gb_nino, checks=()),
    NationalId("GB", r"\bnhs\b", (), ("999 999 9999", "9999999999", "999-999-9999"), check.gb_nhs),
    NationalId("IE", r"\bpps\w?", ("9999999A", "9999999AA"), (), check.ie_pps, checks=(7,)),
    NationalId("FR", r"sécu|\bsecu\b|\bnir\b|insee|social.?sec|\bssn\b", ("999999999999999", "9 99 99 99 999 999 99",
               "9 99 99 9A 999 999 99", "999999A99999999"), (), check.fr_nir, checks=(-2, -1)),
    NationalId("DE", r"steuer.?id|steuer.?ident|\bidnr|\btin\b|\btax", ("99 999 999 999", "99999999999"), (),
               check.de_steuer_id),
    NationalId("DE", r"rentenv|sozialvers|\brvnr|\bsvnr", ("99999999A999", "99 999999 A 999"), (), check.de_rvnr,
               date=(2, "ddmmyy")),
    NationalId("AT", r"sozialvers|\bsvnr|versicherungsn", ("9999 999999",), ("9999999999",), check.at_svnr,
               date=(4, "ddmmyy"), checks=(3,)),
    NationalId("IT", r"codice.?fiscale|\bcf\b|\bssn\b|social.?sec", ("AAAAAA99A99A999A", "AAA AAA 99A99 A999A"), (),
               check.it_codice_fiscale),
    NationalId("ES", r"\bdni\b|\bnif\b|identidad", ("99999999A", "99999999-A", "99.999.999-A", "99.999.999A"), (),
               check.es_dni),
    NationalId("ES", r"\bnie\b|extranjer|\bdni\b|\bnif\b", ("A9999999A", "A-9999999-A", "A9999999-A"), (), check.es_nie,
               keep=1),
    NationalId("PT", r"\bnif\b|contribuinte", (), ("999999999", "999 999 999"), check.pt_nif),
    NationalId("PL", r"pesel", (), ("99999999999",), check.pl_pesel, date=(0, "yymmdd")),
    NationalId("NL", r"\bbsn\b|burgerserv|sofi", (), ("999999999", "9999.99.999", "9999 99 999"), check.nl_bsn),
    NationalId("BE", r"rijksreg|registre.?nat|\bnrn\b|\brrn\b|\binsz", ("99.99.99-999.99", "99999999999"), (),
               check.be_nn, date=(0, "yymmdd"), checks=(-2, -1)),
    NationalId("BR", r"\bcpf\b", ("999.999.999-99",), ("99999999999", "999999999-99"), check.br_cpf, checks=(-2, -1)),
    NationalId("BR", r"\bcnpj\b", ("99.999.999/9999-99",), ("99999999999999",), check.br_cnpj, checks=(-2, -1)),
    NationalId("IN", r"aadha?ar|\buid", ("9999 9999 9999",), ("999999999999", "9999-9999-9999"), check.in_aadhaar),
    NationalId("IN", r"\bpan\b|permanent.?account", ("AAAAA9999A",), (), check.in_pan, checks=()),
    NationalId("SE", r"person.?n|\bpnr\b|samordn", ("999999-9999", "999999+9999", "99999999-9999"), ("9999999999",
               "999999999999"), check.se_personnummer, date=(-10, "yymmdd")),
    NationalId("NO", r"fødsel|fodsel|person.?n|\bfnr\b", ("99999999999", "999999 99999"), (), check.no_fodselsnummer,
               date=(0, "ddmmyy"), checks=(-2, -1)),
    NationalId("DK", r"\bcpr\b|person.?n", ("999999-9999",), ("9999999999", "999999 9999"), check.ddmmyy,
               date=(0, "ddmmyy"), checks=()),
    NationalId("FI", r"hetu|henkil|personbet", ("999999-9999", "999999-999A", "999999A999A", "999999A9999",
               "999999+999A"),
               (), check.fi_hetu, date=(0, "ddmmyy")),
    NationalId("CH", r"\bahv|\bavs\b|sozialvers", ("999.9999.9999.99", "9999999999999"), (), check.ch_ahv, keep=3),
    NationalId("CN", r"身份证|resident.?id|id.?card", ("999999999999999999", "99999999999999999A"), (), check.cn_ric,
               date=(6, "yyyymmdd")),
    NationalId("JP", r"my.?number|マイナンバー|個人番号", (), ("999999999999", "9999 9999 9999", "9999-9999-9999"),
               check.jp_my_number),
    NationalId("KR", r"resident.?reg|\brrn\b|주민등록", ("999999-9999999",), ("9999999999999",), check.kr_rrn,
               date=(0, "yymmdd"), checks=()),
    NationalId("AU", r"\btfn\b|tax.?file", (), ("999 999 999", "999999999"), check.au_tfn),
    NationalId("NZ", r"\bird\b", (), ("99-999-999", "999-999-999", "99999999", "999999999"), check.nz_ird),
    NationalId("SG", r"nric|\bfin\b", ("A9999999A",), (), check.sg_nric, keep=1),
    NationalId("HK", r"hkid", ("A999999(9)", "A999999(A)", "AA999999(9)", "AA999999(A)"), ("A9999999",), check.hk_id),
    NationalId("TW", r"身分證|national.?id", ("A999999999",), (), check.tw_id, keep=1),
    NationalId("TH", r"thai|citizen", ("9-9999-99999-99-9", "9 9999 99999 99 9"), ("9999999999999",), check.th_id),
    NationalId("ZA", r"\bid.?n|\brsa\b|identity", ("999999 9999 999",), ("9999999999999",), check.za_id,
               date=(0, "yymmdd")),
    NationalId("MX", r"curp", ("AAAA999999AAAAAA99", "AAAA999999AAAAAAA9"), (), check.mx_curp, date=(4, "yymmdd")),
    NationalId("MX", r"\bnss\b|imss|seguro.?social|\bssn\b", (), ("99999999999", "99-99-99-9999-9"), luhn_ok),
    NationalId("CL", r"\brut\b|\brun\b", ("99.999.999-9", "99.999.999-A", "9.999.999-9", "9.999.999-A"), ("99999999-9",
               "99999999-A", "999999999"), check.cl_rut),
    NationalId("TR", r"kimlik|tckn|\btc\b", (), ("99999999999",), check.tr_tckn, checks=(-2, -1)),
    NationalId("IL", r"teudat|zehut|ת\.?ז", (), ("999999999", "99999999-9"), luhn_ok),
    NationalId("RO", r"\bcnp\b|cod.?numeric", ("9999999999999",), (), check.ro_cnp, date=(1, "yymmdd")),
    NationalId("BG", r"\begn\b|егн", (), ("9999999999",), check.bg_egn, date=(0, "yymmdd")),
    NationalId("CZ", r"rodné|rodne", ("999999/9999",), ("9999999999",), check.cz_rodne_cislo, date=(0, "yymmdd")),
    NationalId("HR", r"\boib\b", (), ("99999999999",), mod_11_10_ok),
    NationalId("EE", r"isikukood|asmens", (), ("99999999999",), check.ee_isikukood, date=(1, "yymmdd")),
    NationalId("GR", r"\bamka\b|αμκα", (), ("99999999999",), check.gr_amka, date=(0, "ddmmyy")),
    NationalId("", r"\bssn\b|social.?sec", (), tuple("9" * length for length in range(8, 14)), checks=()),
)  # fmt: skip
"""All that are known, the narrowest form first where two share one; last, what is called a social security number."""

_GENERIC = (
    r"\bssn\b|social.?security|national.?(?:id|number|ident)|personal.?(?:id|number|code)|identity.?(?:no|num|card)|tax.?id|"
    r"\bid.?(?:card|number)|citizen|ausweis|identité|identidad|identità|dowód|legitimation|henkilö"
)
_LONG = 15
"""Characters from which on an id in small letters needs no word that names it."""
_AFTER = re.compile(r" [0-9]{4}(?![0-9])")
"""Goes on where a number in groups is a part of a longer one."""
_SEPARATOR = re.compile(r"[^0-9A-Za-z]")
_SHAPE = str.maketrans("012345678ABCDEFGHIJKLMNOPQRSTUVWXYZ", "9" * 9 + "A" * 26)  # `9` stays


@lru_cache(maxsize=64)
def _forms(countries: tuple[str, ...]) -> tuple[dict[str, list[tuple[NationalId, bool]]], re.Pattern[str]]:
    """Return the ids by written form, and a pattern of all written forms, the longest first."""
    forms: dict[str, list[tuple[NationalId, bool]]] = defaultdict(list)
    for one in IDS:
        if not countries or one.country in countries:
            for form in one.clear:
                forms[form].append((one, False))
            for form in one.named:
                forms[form].append((one, True))
    return dict(forms), re.compile(
        r"(?<![A-Za-z0-9+])(?<![A-Za-z0-9]_)(?<![0-9][./-])(?<!\+[0-9][ ])(?<!\+[0-9]{2}[ ])"
        rf"(?:{_union(list(forms))})(?![A-Za-z0-9]|_[A-Za-z0-9]|[-/.][0-9])"
    )


def _union(forms: list[str]) -> str:
    """Return a pattern of all the forms in which what they begin with alike is looked at once; the longest wins."""
    if not forms:
        return r"(?!)"
    tails: dict[str, list[str]] = defaultdict(list)
    for form in forms:
        if form:
            tails[form[0]].append(form[1:])
    classes = {"9": "[0-9]", "A": "[A-Za-z]"}
    branches = [classes.get(head, re.escape(head)) + _union(rest) for head, rest in tails.items()]
    if not branches:
        return ""
    whole = branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
    return f"(?:{whole})?" if "" in forms else whole


def find_national_ids(text: str, start: int, end: int, *, label: str, countries: tuple[str, ...]) -> Iterator[Finding]:
    """Yield national ids between two positions."""
    forms, pattern = _forms(countries)
    for match in pattern.finditer(text, start, end):
        written = match.group()
        if " " in written and _is_part(text, *match.span()):
            continue
        value = written.upper()
        is_small = value != written and len(value) < _LONG
        words: str | None = None
        for one, needs_name in forms[value.translate(_SHAPE)]:
            valid = one.valid is None or one.valid(canonical_id(value))
            clear = valid and not needs_name and not is_small
            if clear and not (value.isdigit() and _is_other(text, match.start(), label)):
                yield Finding(Pii.NATIONAL_ID, *match.span())
                break
            words = before(text, match.start(), label) if words is None else words
            if _named(words, one.names) or (valid and _named(words, _GENERIC)):
                yield Finding(Pii.NATIONAL_ID, *match.span())
                break


def _is_part(text: str, start: int, end: int) -> bool:
    """Say whether a number in groups is a part of a longer one."""
    return (start > 1 and text[start - 1] == " " and text[start - 2].isdigit()) or _AFTER.match(text, end) is not None


def _is_other(text: str, start: int, label: str) -> bool:
    words = before(text, start, label)
    return says_phone(words) is False or says_time(words)


@lru_cache(maxsize=8192)
def _named(words: str, names: str) -> bool:
    return re.search(names, words) is not None


def canonical_id(text: str) -> str:
    """Return the digits and letters of an id, in capitals."""
    return (text if text.isalnum() else _SEPARATOR.sub("", text)).upper()


def ids_of(value: str, text: str = "") -> list[NationalId]:
    """Return the ids of this canonical form whose check digits are right; first those that are written as `text`."""
    right = [one for one in _by_shape().get(value.translate(_SHAPE), ()) if one.valid is None or one.valid(value)]
    written = [one for one, _ in _forms(())[0].get(text.upper().translate(_SHAPE), ())]
    return sorted(right, key=lambda one: one not in written)


@lru_cache(maxsize=1)
def _by_shape() -> dict[str, tuple[NationalId, ...]]:
    shapes: dict[str, dict[NationalId, None]] = defaultdict(dict)
    for one in IDS:
        for form in (*one.clear, *one.named):
            shapes[canonical_id(form)][one] = None
    return {shape: tuple(ids) for shape, ids in shapes.items()}
