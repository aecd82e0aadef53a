"""Whether a national id's check digits, and the date in it, are right: one function for each id that has them.

Each takes the id in canonical form (digits and capital letters, no separators) whose shape is right already. The source
of each stands in `training/privacy/national_ids.py`.
"""

from __future__ import annotations

from training.privacy.checks import date_ok, luhn_ok, mod_11_2_ok, mod_11_10_ok, verhoeff_ok, weighted

_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17,
    19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True))  # fmt: skip


def us_ssn(text: str) -> bool:
    """Social security number, United States: areas and groups never given (SSA, POMS RM 10201.035)."""
    return text[:3] not in ("000", "666") and text[0] != "9" and text[3:5] != "00" and text[5:] != "0000"


def us_itin(text: str) -> bool:
    """Individual taxpayer number, United States: 9, then a group of 50 and more (IRS manual 3.21.263)."""
    return text[0] == "9" and text[3] in "56789"


def ca_sin(text: str) -> bool:
    """Social insurance number, Canada: Luhn (ESDC, SIN Code of Practice)."""
    return text[0] not in "08" and luhn_ok(text)


def gb_nino(text: str) -> bool:
    """National Insurance number, United Kingdom: allowed prefixes and suffix (HMRC, NIM39110)."""
    odd = text[:2] in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
    return not odd and text[0] not in "DFIQUV" and text[1] not in "DFIOQUV" and text[-1] in "ABCD"


def gb_nhs(text: str) -> bool:
    """NHS number, England: mod 11 (NHS Data Dictionary, NHS NUMBER)."""
    return (11 - weighted(text, range(10, 1, -1)) % 11) % 11 == int(text[9]) and len(set(text)) > 1


def ie_pps(text: str) -> bool:
    """PPS number, Ireland: mod 23 letter (Department of Social Protection; Revenue, TRN format)."""
    extra = 9 * (ord(text[8]) - 64) if len(text) == 9 and text[8] != "W" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighted(text[:7], range(8, 1, -1)) + extra) % 23] == text[7]


def fr_nir(text: str) -> bool:
    """NIR, France: 97 minus the number modulo 97, Corsica as 19 and 18 (INSEE, decree 82-103)."""
    number = text[:13].replace("2A", "19", 1).replace("2B", "18", 1)
    if not number.isdigit() or text[0] not in "123478":
        return False
    month = int(text[3:5])
    return (1 <= month <= 12 or 20 <= month <= 42 or month >= 50) and 97 - int(number) % 97 == int(text[13:])


def de_steuer_id(text: str) -> bool:
    """Steuer-ID, Germany: one digit twice or thrice, mod 11,10 (Bundeszentralamt für Steuern, § 139b AO)."""
    counts = sorted(text[:10].count(digit) for digit in set(text[:10]))
    return text[0] != "0" and counts[-1] in (2, 3) and counts[-2:-1] != counts[-1:] and mod_11_10_ok(text)


def de_rvnr(text: str) -> bool:
    """Rentenversicherungsnummer, Germany: weighted cross sums (VKVV § 2, Deutsche Rentenversicherung)."""
    digits = text[:8] + f"{ord(text[8]) - 64:02d}" + text[9:11]
    doubled = (int(digit) * weight for digit, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    return date_ok(str(int(text[2:4]) % 50), text[4:6]) and sum(map(_cross, doubled)) % 10 == int(text[11])


def _cross(value: int) -> int:
    return sum(divmod(value, 10))


def at_svnr(text: str) -> bool:
    """Sozialversicherungsnummer, Austria: mod 11 at the fourth place (Dachverband der Sozialversicherungsträger)."""
    check = weighted(text, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11
    return text[0] != "0" and check == int(text[3]) and date_ok(text[4:6], text[6:8])


def it_codice_fiscale(text: str) -> bool:
    """Codice fiscale, Italy: odd and even characters modulo 26 (decree of 23 December 1976)."""
    if text[8] not in "ABCDEHLMPRST" or not 1 <= int(text[9:11]) % 40 <= 31:
        return False
    total = sum(_ODD[char] for char in text[:15:2])
    total += sum(int(char, 36) - 10 if char.isalpha() else int(char) for char in text[1:15:2])
    return chr(65 + total % 26) == text[15]


def es_dni(text: str) -> bool:
    """DNI, Spain: mod 23 letter (Real Decreto 1553/2005; Ministerio del Interior)."""
    return _DNI_LETTERS[int(text[:-1]) % 23] == text[-1]


def es_nie(text: str) -> bool:
    """NIE, Spain: X, Y, Z as 0, 1, 2, then as a DNI (Ministerio del Interior, Orden INT/2058/2008)."""
    return text[0] in "XYZ" and es_dni(str("XYZ".index(text[0])) + text[1:])


def pt_nif(text: str) -> bool:
    """NIF of a person, Portugal: mod 11 (Autoridade Tributária, decree-law 14/2013)."""
    check = 11 - weighted(text, range(9, 1, -1)) % 11
    return text[0] in "123" and (0 if check > 9 else check) == int(text[8])


def pl_pesel(text: str) -> bool:
    """PESEL, Poland: weights 1 3 7 9, the century in the month (gov.pl, act of 24 September 2010)."""
    month = int(text[2:4]) % 20
    check = weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1))
    return 1 <= month <= 12 and date_ok(text[4:6], str(month)) and check % 10 == 0


def nl_bsn(text: str) -> bool:
    """BSN, Netherlands: the eleven test (RvIG, Logisch Ontwerp BSN)."""
    return weighted(text, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and text[:3] != "000"


def be_nn(text: str) -> bool:
    """National number, Belgium: 97 minus the number modulo 97, a 2 before it from 2000 (decree of 3 April 1984)."""
    if not (int(text[2:4]) % 20 <= 12 and int(text[4:6]) <= 31):
        return False
    return int(text[9:]) in (97 - int(text[:9]) % 97, 97 - int("2" + text[:9]) % 97)


def br_cpf(text: str) -> bool:
    """CPF, Brazil: two mod 11 digits (Receita Federal, IN RFB 1548/2015)."""
    first = weighted(text, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(text, range(11, 1, -1)) * 10 % 11 % 10
    return len(set(text)) > 1 and text[9:] == f"{first}{second}"


def br_cnpj(text: str) -> bool:
    """CNPJ, Brazil: two mod 11 digits (Receita Federal, IN RFB 2119/2022)."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = -weighted(text, weights[1:]) % 11 % 10
    second = -weighted(text, weights) % 11 % 10
    return len(set(text)) > 1 and text[12:] == f"{first}{second}"


def in_aadhaar(text: str) -> bool:
    """Aadhaar, India: Verhoeff, never beginning with 0 or 1 (UIDAI)."""
    return text[0] not in "01" and verhoeff_ok(text)


def in_pan(text: str) -> bool:
    """PAN, India: the fourth letter says what kind of holder (Income Tax Department)."""
    return text[3] in "ABCFGHLJPT"


def se_personnummer(text: str) -> bool:
    """Personnummer and samordningsnummer, Sweden: Luhn over ten digits (Skatteverket, SKV 704 and 707)."""
    short = text[-10:]
    return date_ok(str(int(short[4:6]) % 60), short[2:4]) and luhn_ok(short) and text[:-10] in ("", "18", "19", "20")


def no_fodselsnummer(text: str) -> bool:
    """Fødselsnummer and D-number, Norway: two mod 11 digits (Skatteetaten)."""
    if not date_ok(str(int(text[:2]) % 40), str(int(text[2:4]) % 40)):
        return False
    first = weighted(text, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    return first == 0 and weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def ddmmyy(text: str) -> bool:
    """CPR number, Denmark: a date; no check digit since 2007 (CPR-kontoret, Personnummeret i CPR)."""
    return date_ok(text[:2], text[2:4])


def fi_hetu(text: str) -> bool:
    """Henkilötunnus, Finland: mod 31 character, signs of the century (Digital and Population Data Services Agency)."""
    number = text[:6] + text[-4:-1]
    sign_ok = len(text) == 10 or text[6] in "ABCDEFUVWXY"
    return sign_ok and ddmmyy(text) and _HETU_LETTERS[int(number) % 31] == text[-1]


def ch_ahv(text: str) -> bool:
    """AHV number, Switzerland: 756 and the check digit of EAN-13 (Zentrale Ausgleichsstelle)."""
    return text[:3] == "756" and weighted(text, (1, 3) * 7) % 10 == 0


def cn_ric(text: str) -> bool:
    """Resident identity number, China: a date, mod 11-2 (GB 11643-1999)."""
    return (
        text[0] != "0" and text[6:8] in ("18", "19", "20") and date_ok(text[12:14], text[10:12]) and mod_11_2_ok(text)
    )


def jp_my_number(text: str) -> bool:
    """Individual number, Japan: mod 11 (ordinance 85 of 2014, Ministry of Internal Affairs, article 5)."""
    rest = weighted(text, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if rest <= 1 else 11 - rest) == int(text[11])


def kr_rrn(text: str) -> bool:
    """Resident registration number, South Korea: a date and a century; no check digit since October 2020 (MOIS)."""
    return date_ok(text[4:6], text[2:4]) and text[6] in "12345678"


def au_tfn(text: str) -> bool:
    """Tax file number, Australia: mod 11 (Australian Taxation Office)."""
    return weighted(text, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def nz_ird(text: str) -> bool:
    """IRD number, New Zealand: mod 11 with two sets of weights (Inland Revenue, RWT/NRWT specification)."""
    text = text.rjust(9, "0")
    for weights in ((3, 2, 7, 6, 5, 4, 3, 2), (7, 4, 3, 2, 5, 2, 7, 6)):
        check = -weighted(text, weights) % 11
        if check < 10:
            return check == int(text[8]) and 10_000_000 < int(text) < 150_000_000
    return False


def sg_nric(text: str) -> bool:
    """NRIC and FIN, Singapore: mod 11 letter by series (Immigration and Checkpoints Authority)."""
    total = weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "KLJNPQRTUWX"}
    place = 10 - total % 11 if text[0] == "M" else total % 11
    return text[0] in letters and letters[text[0]][place] == text[8]


def hk_id(text: str) -> bool:
    """Identity card number, Hong Kong: mod 11 (Immigration Department)."""
    letters = [36, *(ord(char) - 55 for char in text[:-7])][-2:]
    total = letters[0] * 9 + letters[1] * 8 + weighted(text[-7:-1], range(7, 1, -1))
    return "0123456789A"[-total % 11] == text[-1]


def tw_id(text: str) -> bool:
    """National identification number, Taiwan: mod 10 (Ministry of the Interior)."""
    number = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    return (
        text[1] in "1289"
        and (number // 10 + number % 10 * 9 + weighted(text[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0
    )


def th_id(text: str) -> bool:
    """Identification number, Thailand: mod 11 (Department of Provincial Administration)."""
    return text[0] != "0" and (11 - weighted(text, range(13, 1, -1)) % 11) % 10 == int(text[12])


def za_id(text: str) -> bool:
    """Identity number, South Africa: a date, a citizenship digit, Luhn (Department of Home Affairs)."""
    return date_ok(text[4:6], text[2:4]) and text[10] in "012" and luhn_ok(text)


def mx_curp(text: str) -> bool:
    """CURP, Mexico: a date, a sex, mod 10 over base 37 (RENAPO, instructivo of 18 October 2021)."""
    letters = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(letters.index(char) * (18 - place) for place, char in enumerate(text[:17]))
    return text[10] in "HMX" and date_ok(text[8:10], text[6:8]) and str(-total % 10) == text[17]


def cl_rut(text: str) -> bool:
    """RUT and RUN, Chile: mod 11, K for ten (Servicio de Registro Civil)."""
    weights = (2, 3, 4, 5, 6, 7, 2, 3)
    return "0123456789K"[-weighted(text[-2::-1], weights) % 11] == text[-1]


def tr_tckn(text: str) -> bool:
    """TC kimlik number, Turkey: two check digits (Nüfus ve Vatandaşlık İşleri)."""
    odd, even = sum(map(int, text[:9:2])), sum(map(int, text[1:8:2]))
    return text[0] != "0" and (7 * odd - even) % 10 == int(text[9]) and sum(map(int, text[:10])) % 10 == int(text[10])


def ro_cnp(text: str) -> bool:
    """CNP, Romania: a date, mod 11 (law 105/1996)."""
    check = weighted(text, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return text[0] != "0" and date_ok(text[5:7], text[3:5]) and (1 if check == 10 else check) == int(text[12])


def bg_egn(text: str) -> bool:
    """EGN, Bulgaria: the century in the month, mod 11 (GRAO, civil registration act)."""
    check = weighted(text, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return date_ok(text[4:6], str(int(text[2:4]) % 20)) and check == int(text[9])


def cz_rodne_cislo(text: str) -> bool:
    """Rodné číslo, Czechia and Slovakia: divisible by 11 (act 133/2000)."""
    return date_ok(text[4:6], str(int(text[2:4]) % 50 % 20)) and int(text) % 11 == 0


def ee_isikukood(text: str) -> bool:
    """Isikukood, Estonia, and asmens kodas, Lithuania: mod 11 with two sets of weights (EVS 585:2007)."""
    for weights in ((1, 2, 3, 4, 5, 6, 7, 8, 9, 1), (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)):
        check = weighted(text, weights) % 11
        if check < 10:
            break
    return text[0] in "123456" and date_ok(text[5:7], text[3:5]) and check % 10 == int(text[10])


def gr_amka(text: str) -> bool:
    """AMKA, Greece: a date, Luhn (IDIKA)."""
    return ddmmyy(text) and luhn_ok(text)
