"""Keys, tokens and passwords: by the shapes that their issuers publish, and by a label and their entropy.

Decisions: a published shape is found wherever it stands. Anything else is a secret only where a label says so
(`api_key=`, `password:`, `Authorization: Bearer`, or the key of a JSON field): a password whatever it is, another
secret where its characters are as mixed as those of a random string. Hashes, UUIDs and commit ids without such a label
stay.
Source of shapes: the issuers' own documentation, as gathered in GitHub's "Supported secret scanning patterns".
Not covered: a secret with neither shape nor label; one that is split over lines.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from training.privacy.kinds import Finding, Pii

SHAPES = (
    r"(?:sk|pk|rk)[-_][A-Za-z0-9_-]{20,200}",  # OpenAI, Anthropic, Stripe, OpenRouter
    r"gh[pousr]_[A-Za-z0-9]{36,255}",
    r"github_pat_[A-Za-z0-9_]{22,255}",
    r"gl(?:pat|dt|rt|ptt|ft)-[A-Za-z0-9_.-]{20,64}",
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",
    r"AIza[0-9A-Za-z_-]{35}",
    r"ya29\.[0-9A-Za-z_-]{20,400}",
    r"GOCSPX-[0-9A-Za-z_-]{28}",
    r"hf_[A-Za-z0-9]{30,64}",
    r"xox[abeposr]-[A-Za-z0-9-]{10,250}",
    r"xapp-[0-9A-Za-z-]{20,250}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_-]{50,400}",
    r"rubygems_[0-9a-f]{48}",
    r"do[opr]_v1_[0-9a-f]{64}",
    r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}",
    r"key-[0-9a-f]{32}",
    r"(?:SK|AC)[0-9a-f]{32}",
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"sq0(?:atp|csp)-[0-9A-Za-z_-]{22,43}",
    r"EAA[0-9A-Za-z]{60,300}",
    r"dapi[0-9a-f]{32}(?:-[0-9])?",
    r"lin_api_[A-Za-z0-9]{40}",
    r"nvapi-[A-Za-z0-9_-]{60,70}",
    r"gsk_[A-Za-z0-9]{48,56}",
    r"r8_[A-Za-z0-9]{37}",
    r"xai-[A-Za-z0-9]{70,90}",
    r"pplx-[A-Za-z0-9]{40,60}",
    r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    r"figd_[A-Za-z0-9_-]{40,60}",
    r"ATATT3[A-Za-z0-9_=-]{50,250}",
    r"hv[sbr]\.[A-Za-z0-9_-]{24,300}",
    r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}",
    r"NRAK-[A-Z0-9]{27}",
    r"whsec_[A-Za-z0-9+/=]{24,64}",
    r"sbp_[0-9a-f]{40}",
    r"ntn_[A-Za-z0-9]{40,60}",
    r"secret_[A-Za-z0-9]{43}",
    r"tskey-[a-z]{2,10}-[A-Za-z0-9-]{20,80}",
    r"dp\.pt\.[A-Za-z0-9]{40,44}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"[MNO][A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
    r"eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,1000}",
)
"""Shapes of single tokens."""
HEADS = (
    "sk-",
    "sk_",
    "pk-",
    "pk_",
    "rk-",
    "rk_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glrt-",
    "glptt-",
    "glft-",
    "AKIA",
    "ASIA",
    "ABIA",
    "ACCA",
    "AIza",
    "ya29.",
    "GOCSPX-",
    "hf_",
    "xox",
    "xapp-",
    "npm_",
    "pypi-",
    "rubygems_",
    "_v1_",
    "SG.",
    "key-",
    "SK",
    "AC",
    "shp",
    "sq0",
    "EAA",
    "dapi",
    "lin_api_",
    "nvapi-",
    "gsk_",
    "r8_",
    "xai-",
    "pplx-",
    "PMAK-",
    "figd_",
    "ATATT3",
    "hvs.",
    "hvb.",
    "hvr.",
    "glsa_",
    "NRAK-",
    "whsec_",
    "sbp_",
    "ntn_",
    "secret_",
    "tskey-",
    "dp.pt.",
    "AGE-SECRET",
    ":AA",
    "eyJ",
    "PRIVATE KEY",
)
"""One of these stands in every text that holds a shape, but for tokens with two full stops (Discord)."""
KEPT = re.compile(
    r"(?:sk|pk|rk)[-_](?:(?:proj|ant|or|live|test|svcacct|api[0-9]{2})[-_]){0,3}|do[opr]_v1_|shp[a-z]{2}_|xox[a-z]-|"
    r"sq0[a-z]{3}-|[0-9]{8,10}:AA|gl(?:dt|rt|ptt|ft|pat)-|AGE-SECRET-KEY-1|tskey-[a-z]{2,10}-|"
    + "|".join(map(re.escape, (head for head in HEADS if len(head) > 1 and head != ":AA")))
)
"""What stays of a token, so that its issuer can be told."""
_TOKEN = re.compile(r"(?<![A-Za-z0-9_])(?:" + "|".join(SHAPES) + r")(?![A-Za-z0-9_])")
_LONG = re.compile(r"[A-Za-z0-9_.:=+/-]{20}")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s:,.\\-]{1,9000}?"
    r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
)
_WORDS = ("key", "secret", "token", "pass", "pwd", "bearer", "credential", "authorization")
_PASSWORD = r"pass[_ -]?(?:word|wd|phrase|code)?|pwd|passwort|contraseña|mot de passe|senha|wachtwoord|hasło|lösenord"
_SECRET = (
    r"(?:api|access|secret|private|encryption|auth|account|license|signing|subscription)[_ -]?key(?:[_ -]?id)?|"
    r"(?:client|app|consumer|webhook|shared)?[_ -]?secret|"
    r"(?:access|auth|refresh|session|bearer|id|api|bot|security)?[_ -]?token|credentials?|bearer"
)
_LABELLED = re.compile(
    rf"(?<![A-Za-z])(?:(?P<password>{_PASSWORD})|{_SECRET})[\"'`]?\s{{0,3}}(?:=>|:=|[:=]|\bis\b:?)\s{{0,3}}"
    r"(?:bearer\s|basic\s)?[\"'`]?(?P<value>[^\s\"'`<>{}]{4,400})",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(r"\b(?:bearer|basic)\s{1,3}(?P<value>[A-Za-z0-9+/_=.~-]{16,2000})", re.IGNORECASE)
_FIELD = re.compile(rf"(?:^|[ _.-])(?:(?P<password>{_PASSWORD})|{_SECRET})$", re.IGNORECASE)
_NOT_SECRET = re.compile(
    r"(?:page|next|continuation|sync|max|prompt|public|idempotency|primary|foreign)[_ -]?$", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"[*•x.…-]+|null|none|true|false|string|undefined|required|redacted|your[_-].*|\$.*|%.*|\[.*|.*\.\.\..*|"
    r"incorrect|invalid|wrong|expired|missing|optional|changed|reset|protected|correct|empty|hidden|hashed|not|the|and",
    re.IGNORECASE,
)
_SHORTEST = 12


def find_secrets(text: str, entropy: float, label: str) -> Iterator[Finding]:
    """Yield keys, tokens and passwords; `entropy` in bits a character is asked of those that only a label names."""
    if _LONG.search(text) and (any(map(text.__contains__, HEADS)) or text.count(".") >= 2):
        yield from (Finding(Pii.SECRET, *match.span()) for match in _TOKEN.finditer(text))
        if "PRIVATE KEY" in text:
            yield from (Finding(Pii.SECRET, *match.span()) for match in _PEM.finditer(text))
    if label:
        yield from _field(text, entropy, label)
    small = text.lower()
    if any(map(small.__contains__, _WORDS)):
        for match in _LABELLED.finditer(text):
            start, end = match.start("value"), _trimmed(text, *match.span("value"))
            ahead = text[max(0, match.start() - 14) : match.start()]
            is_said = "is" in match.group()[: start - match.start()].lower().split()
            if not _NOT_SECRET.search(ahead) and _secret(text[start:end], entropy, bool(match["password"]), is_said):
                yield Finding(Pii.SECRET, start, end)
        for match in _AUTHORIZATION.finditer(text):
            if _mixed(match["value"], entropy):
                yield Finding(Pii.SECRET, *match.span("value"))


def _field(text: str, entropy: float, label: str) -> Iterator[Finding]:
    """Yield the whole value of a field whose key says that it is a secret."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", label)
    match = _FIELD.search(spaced)
    if match is None or " " in text:
        return
    if not _NOT_SECRET.search(spaced[: match.end() - len(match.group().lstrip(" _.-"))]) and _secret(
        text, entropy, bool(match["password"]), False
    ):
        yield Finding(Pii.SECRET, 0, len(text))


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1] in ".,;:)]!?":
        end -= 1
    return end


def _secret(value: str, entropy: float, password: bool, said: bool) -> bool:
    if len(value) < 4 or _PLACEHOLDER.fullmatch(value):
        return False
    if password:
        return not said or not value.isalpha()
    return _mixed(value, entropy)


def _mixed(value: str, entropy: float) -> bool:
    """Say whether a value is as long and as mixed as random ones; digits or letters alone are not."""
    if len(value) < _SHORTEST or value.isdigit() or not any(char.isdigit() for char in value):
        return False
    return bits(value) >= entropy


def bits(value: str) -> float:
    """Return the entropy of the characters of `value`, in bits a character (Shannon 1948)."""
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
