"""Keys, tokens and passwords: by the shapes that their issuers publish, and by a label and their entropy.

Decisions: a published shape (`training/privacy/key_shapes.py`) is found wherever it stands. Anything else is a secret
only where a label says so (`api_key=`, `password:`, or the key of a JSON field): a password whatever it is, another
secret where its characters are as mixed as those of a random string. Hashes, UUIDs and commit ids without such a label
stay. Headers and command lines have their own rules (`training/privacy/headers.py`).
Not covered: a secret with neither shape nor label; one that is split over lines.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from training.privacy.key_shapes import heads, pattern
from training.privacy.kinds import Finding, Pii

KEPT = re.compile(
    r"(?:sk|pk|rk)[-_](?:(?:proj|ant|or|live|test|prod|svcacct|v1|lf|(?:api|admin)[0-9]{0,2})[-_]){1,3}|"
    r"[0-9]{8,10}:AA|tskey-[a-z]{2,10}-|eyJ|" + "|".join(map(re.escape, heads()))
)
"""What stays of a token, so that its issuer can be told."""
_TOKEN = re.compile(rf"(?<![A-Za-z0-9_])(?:{pattern()})(?![A-Za-z0-9_])")
_LONG = re.compile(r"[A-Za-z0-9_.:=+/~@-]{18,}")
_PEM = re.compile(
    r"-----BEGIN[ +][A-Z0-9 +]{0,30}PRIVATE[ +]KEY(?:[ +]BLOCK)?-----(?:[A-Za-z0-9+/=\s:,.\\]{1,9000}"
    r"(?:-(?!----)[A-Za-z0-9+/=\s:,.\\]{0,9000}){0,40}-----END[ +][A-Z0-9 +]{0,30}PRIVATE[ +]KEY(?:[ +]BLOCK)?-----|"
    r"\s{0,3}(?:[A-Za-z0-9+/=]{40,80}\s{0,3}){1,200})"
)
"""A key without its end, since outputs are cut, is one, too."""
_AWS_SECRET = re.compile(
    r"(?<![A-Za-z0-9/+=])(?=[^\s]{0,39}[A-Z])(?=[^\s]{0,39}[0-9])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
)
_AWS_APART = 200
"""Characters after an AWS key's id within which its secret is looked for."""
_WORDS = ("key", "secret", "token", "pass", "pwd", "credential", "senha", "hasło", "wachtwoord", "lösenord", "contrase",
          "sig", "bearer")  # fmt: skip
_PASSWORD = r"pass[_ -]?(?:word|wd|phrase|code)?|pwd|passwort|contraseña|mot de passe|senha|wachtwoord|hasło|lösenord"
_SECRET = (
    r"(?:api|access|secret|private|encryption|auth|account|license|signing|subscription)[_ -]?key(?:[_ -]?id)?|"
    r"(?:client|app|consumer|webhook|shared)?[_ -]?secret|"
    r"(?:access|auth|refresh|session|bearer|id|api|bot|security)?[_ -]?token|credentials?|bearer|"
    r"(?<=[?&])sig(?:nature)?"
)
_BEGIN = r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z0-9])(?=[A-Z]))|(?<=PG)|(?<=DB))"
_LABELLED = re.compile(
    rf"{_BEGIN}(?:(?P<password>{_PASSWORD})|{_SECRET})[\"'`]?\s{{0,3}}(?:=>|:=|[:=]|\bis\b:?|(?<=\w)>(?=\S))\s{{0,3}}"
    r"(?:bearer\s|basic\s)?(?P<quote>[\"'`]?)(?P<value>[^\s\"'`<>{}]{4,400})",
    re.IGNORECASE,
)
_FIELD = re.compile(rf"(?:^|[ _.-])(?:(?P<password>{_PASSWORD})|{_SECRET})$", re.IGNORECASE)
_NOT_SECRET = re.compile(
    r"(?:page|next|continuation|sync|max|prompt|public|idempotency|primary|foreign)[_ -]?$", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"[*•x.…-]+|null|none|true|false|string|undefined|required|redacted|your[_-].*|\$.*|%.*|\[.*|.*\.\.\..*|"
    r"incorrect|invalid|wrong|expired|missing|optional|changed|reset|protected|correct|empty|hidden|hashed|not|the|and",
    re.IGNORECASE,
)
_NEXT = re.compile(r"[&;,][A-Za-z_][\w .-]{0,40}=")
"""The next parameter of a query, a connection string or a header."""
_SENTENCE = re.compile(r"[^\W\d_]+,? [^\W\d_]{2}")
"""Words that go on: `password: must be eight characters long`."""
_SHORTEST = 12


def find_secrets(text: str, small: str, entropy: float, label: str) -> Iterator[Finding]:
    """Yield keys, tokens and passwords; `small` is the text in small letters.

    `entropy`, in bits a character, is asked of those that only a label names.
    """
    for run in _LONG.finditer(text):
        for match in _TOKEN.finditer(text, *run.span()):
            yield Finding(Pii.SECRET, *match.span())
            if match.group().startswith(("AKIA", "ASIA")):
                yield from _of_aws(text, match.end())
    if "-----BEGIN" in text:
        yield from (Finding(Pii.SECRET, *match.span()) for match in _PEM.finditer(text))
    if label:
        yield from _field(text, entropy, label)
    if any(map(small.__contains__, _WORDS)):
        for match in _LABELLED.finditer(text):
            start = match.start("value")
            end = _trimmed(text, start, match.end("value"), quoted=bool(match["quote"]))
            ahead = text[max(0, match.start() - 14) : match.start()]
            is_said = "is" in match.group()[: start - match.start()].lower().split()
            if _SENTENCE.match(text, start) and not match["quote"]:
                continue
            if not _NOT_SECRET.search(ahead) and is_secret(text[start:end], entropy, bool(match["password"]), is_said):
                yield Finding(Pii.SECRET, start, end)


def _of_aws(text: str, after: int) -> Iterator[Finding]:
    """Yield the secret that stands near after the id of an AWS key."""
    for secret in _AWS_SECRET.finditer(text, after, min(len(text), after + _AWS_APART)):
        yield Finding(Pii.SECRET, *secret.span())


def _field(text: str, entropy: float, label: str) -> Iterator[Finding]:
    """Yield the whole value of a field whose key says that it is a secret."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", label)
    match = _FIELD.search(spaced)
    if match is None or " " in text:
        return
    if not _NOT_SECRET.search(spaced[: match.end() - len(match.group().lstrip(" _.-"))]) and is_secret(
        text, entropy, bool(match["password"]), False
    ):
        yield Finding(Pii.SECRET, 0, len(text))


def _trimmed(text: str, start: int, end: int, *, quoted: bool) -> int:
    """Return where a value ends: before the next parameter, and without the punctuation of a sentence."""
    if not quoted and (further := _NEXT.search(text, start, end)):
        return further.start()
    while end > start and text[end - 1] in ".,;:)]!?":
        end -= 1
    return end


def is_secret(value: str, entropy: float, password: bool, said: bool) -> bool:
    """Say whether what a label calls a secret (or a password) can be one; `said`: in a sentence, `is` before it."""
    if len(value) < 4 or _PLACEHOLDER.fullmatch(value):
        return False
    if password:
        return not said or not value.isalpha()
    return is_mixed(value, entropy)


def is_mixed(value: str, entropy: float) -> bool:
    """Say whether a value is as long and as mixed as random ones; digits or letters alone are not."""
    if len(value) < _SHORTEST or value.isdigit() or not any(char.isdigit() for char in value):
        return False
    return bits(value) >= entropy


def bits(value: str) -> float:
    """Return the entropy of the characters of `value`, in bits a character (Shannon 1948)."""
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
