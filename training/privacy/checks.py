"""Check digits: pure arithmetic over strings of ASCII digits and capital letters.

Sources: Luhn, ISO/IEC 7812-1 annex B; mod 97, ISO 13616 and ISO 7064 (97-10); mod 11,10 and mod 11-2, ISO 7064;
Verhoeff, "Error detecting decimal codes" (1969).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import mul

_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
_NO_DIGIT = re.compile(r"[^0-9]+")
_DOUBLED = tuple(sum(divmod(2 * digit, 10)) for digit in range(10))


def luhn_ok(digits: str) -> bool:
    """Say whether the last digit is the Luhn check digit of the others."""
    values = [ord(digit) - 48 for digit in digits]
    return (sum(values[-1::-2]) + sum(_DOUBLED[value] for value in values[-2::-2])) % 10 == 0


def iban_remainder(iban: str) -> int:
    """Return the IBAN (without spaces) modulo 97; 1 where its check digits are right."""
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97


def digits_of(text: str) -> str:
    """Return the ASCII digits of `text`."""
    return _NO_DIGIT.sub("", text)


def weighted(digits: str, weights: Iterable[int]) -> int:
    """Return the sum of the digits, each times its weight; digits beyond the weights are left out."""
    return sum(map(mul, map(int, digits), weights))


def mod_11_10_ok(digits: str) -> bool:
    """Say whether the last digit is the ISO 7064 mod 11,10 check digit of the others."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def mod_11_2_ok(text: str) -> bool:
    """Say whether the last character (`X` is ten) is the ISO 7064 mod 11-2 check character of the digits before it."""
    total = 0
    for digit in text[:-1]:
        total = (total + int(digit)) * 2 % 11
    return "0123456789X"[(12 - total) % 11] == text[-1]


def verhoeff_ok(digits: str) -> bool:
    """Say whether the last digit is the Verhoeff check digit of the others."""
    check = 0
    for position, digit in enumerate(reversed(digits)):
        check = int(_VERHOEFF_D[check][int(_VERHOEFF_P[position % 8][int(digit)])])
    return check == 0


def date_ok(day: str, month: str) -> bool:
    """Say whether these can be a day and a month; 29 February always can."""
    longest = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= int(month) <= 12 and 1 <= int(day) <= longest[int(month) - 1]
