"""Values as people have them: cities, names, titles, ids, by what a parameter is called.

A topic is drawn from its list, or composed, so that there are many. All of it is made up or common knowledge.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable
from random import Random

from evaluation.generate.names import words

_LISTS: dict[str, str] = {
    "city": "Oslo|Lima|Quito|Porto|Kyoto|Nairobi|Chicago|Boston|Lisbon|Vienna|Dublin|Geneva|Osaka|Denver|Seattle|"
    "Madrid|"
    "Prague|Turin|Leeds|Austin|Tampa|Bergen|Cork|Basel|Ghent|Malmö|Zürich|Kraków|Montréal|Hanoi|Accra|Toronto|Perth|"
    "New Orleans|San Diego|Buenos Aires|Cape Town|Salt Lake City",
    "state": "Ohio|Texas|Oregon|Nevada|Georgia|Vermont|Maine|Utah|Iowa|Kansas|Florida|California|Colorado|New York",
    "country": "Norway|Peru|Kenya|Japan|Portugal|Canada|Chile|Austria|Ireland|Ghana|Vietnam|Spain|Iceland|New Zealand|"
    "Italy|Brazil|Morocco|Finland",
    "country_code": "NO|PE|KE|JP|PT|CA|CL|AT|IE|GH|VN|ES|IS|NZ|IT|BR",
    "first": "Anna|Ben|Chloe|David|Elena|Farid|Grace|Hugo|Ines|Jonas|Kofi|Laura|Mei|Nora|Omar|Paula|Ravi|Sara|Tom|Uma|"
    "Victor|Wendy|Yusuf|Zoe|José|Łukasz",
    "last": "Larsen|Okafor|Silva|Tanaka|Moreau|Schmidt|Novak|Rossi|Patel|Nguyen|Walsh|Haddad|Kim|O'Brien|García|Berg|"
    "Fischer|Mensah|Costa|Lindqvist|Adams|Clarke",
    "company": "Northwind Traders|Blue Harbor|Acme Tools|Fjord Logistics|Sunrise Bakery|Delta Optics|Greenfield Farms|"
    "Kestrel Software|Lumen Energy|Harbor & Sons|Orchard Books|Summit Outdoor",
    "known_company": "Apple|Microsoft|Toyota|Nestlé|Siemens|IBM|Sony|Nokia|Ford|Intel|Adobe|Boeing",
    "ticker": "AAPL|MSFT|GOOG|AMZN|TSLA|NVDA|IBM|INTC|ORCL|NKE|KO|SAP",
    "coin": "Bitcoin|Ethereum|Litecoin|Cardano|Solana",
    "product": "desk lamp|hiking boots|coffee grinder|wireless mouse|rain jacket|office chair|water bottle|yoga mat|"
    "phone case|tea kettle|backpack|bicycle helmet|USB hub|notebook|garden hose|reading light",
    "pet": "Rex|Luna|Milo|Bella|Oscar|Nala|Simba|Pepper|Ziggy|Coco|Biscuit|Mochi",
    "animal": "dog|cat|horse|otter|penguin|elephant|red fox|blue whale|tiger|rabbit|parrot",
    "movie": "Casablanca|Inception|The Matrix|Spirited Away|Alien|Amélie|Jaws|Parasite|Metropolis|Vertigo",
    "book": "Dune|Middlemarch|The Hobbit|Moby-Dick|Frankenstein|Emma|Dracula|Walden|Jane Eyre|Ulysses",
    "song": "Yesterday|Imagine|Hey Jude|Waterloo|Bohemian Rhapsody|Thriller|Hallelujah|Purple Rain",
    "artist": "Nina Simone|Queen|Björk|Miles Davis|ABBA|Radiohead|Adele|Johnny Cash|Fela Kuti|The Beatles",
    "genre": "jazz|rock|comedy|thriller|classical|science fiction|folk|drama|hip hop|mystery",
    "cuisine": "Italian|Thai|Mexican|Japanese|Indian|Greek|Ethiopian|Lebanese|Peruvian|Korean",
    "dish": "lentil soup|pad thai|mushroom risotto|banana bread|chicken curry|greek salad|pancakes|ramen",
    "ingredient": "tomatoes|chickpeas|basil|garlic|rice|spinach|eggs|ginger|mushrooms|olive oil",
    "restaurant": "The Olive Tree|Casa Luna|Golden Wok|Bistro Nord|Spice Garden|Harbor Grill",
    "language": "Spanish|French|Japanese|Norwegian|Portuguese|Arabic|Swahili|German|Italian|Korean",
    "language_code": "es|fr|ja|no|pt|ar|sw|de|it|ko|en",
    "currency": "USD|EUR|GBP|JPY|NOK|CHF|CAD|AUD|SEK|INR",
    "color": "red|blue|green|yellow|black|white|orange|purple|teal|silver",
    "month": "January|February|March|April|May|June|July|August|September|October|November|December",
    "weekday": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "timezone": "Europe/Oslo|America/Lima|Asia/Tokyo|America/New_York|Africa/Nairobi|UTC|Europe/London|Asia/Kolkata",
    "topic": "renewable energy|bread baking|electric cars|chess openings|remote work|ocean currents|home insulation|"
    "vintage cameras|trail running|sleep and memory|urban gardening|medieval history|solar panels|bird migration",
    "keyword": "invoice|budget|recycling|holiday plan|onboarding|solar|contract renewal|parking|warranty|timetable",
    "subject": "Lunch on Friday|Quarterly report|Your order|Team offsite|Invoice overdue|Welcome aboard|Meeting notes|"
    "Change of plans|Photos from the trip|Server maintenance",
    "message": "I will be ten minutes late|The parcel has arrived|Please call me back|The meeting moved to room 4|"
    "Thanks for your help yesterday|Can we talk tomorrow|The keys are under the mat|Dinner is at eight|"
    "The new draft is ready for review|Your table is booked",
    "note": "buy milk and bread|call the dentist|back up the laptop|water the plants|renew the passport|"
    "bring the projector|ask about parking|check the tire pressure|return the library books",
    "reason": "arrived damaged|wrong size|no longer needed|ordered twice|found it cheaper|change of plans|"
    "late delivery",
    "event": "team lunch|project kickoff|dentist appointment|book club|piano lesson|design review|parents' evening|"
    "board meeting|yoga class|farewell party",
    "task": "file the tax return|paint the fence|update the website|prepare the slides|order new badges|"
    "fix the login page",
    "project": "Aurora|Bluebird|Compass|Riverside|Lighthouse|Evergreen|Pathfinder|Monsoon",
    "team": "Lakers|Real Madrid|Ajax|Yankees|Arsenal|Bulls|Celtics|Juventus|Red Sox|Bayern Munich",
    "player": "LeBron James|Serena Williams|Lionel Messi|Roger Federer|Simone Biles|Usain Bolt",
    "sport": "tennis|basketball|football|swimming|cycling|rowing|ice hockey|volleyball",
    "university": "Harvard University|MIT|University of Oslo|Stanford University|Kyoto University|ETH Zürich",
    "department": "marketing|finance|engineering|customer support|human resources|logistics|legal",
    "job": "data analyst|nurse|software engineer|electrician|translator|graphic designer|accountant|chef",
    "category": "electronics|books|garden|office supplies|toys|kitchen|sports|clothing",
    "tag": "urgent|travel|home|work|draft|archived|family|billing|new",
    "folder": "Invoices|Photos|Archive|Drafts|Reports|Receipts",
    "hotel": "Grand Hotel|Seaside Inn|Hotel Central|Park Plaza|The Lodge|Harbor View Hotel",
    "airport": "OSL|LHR|JFK|NRT|CDG|SFO|AMS|LIM|NBO|FRA",
    "airline": "Lufthansa|KLM|Air Canada|Qantas|Iberia|Finnair",
    "landmark": "Eiffel Tower|Golden Gate Bridge|Central Park|Big Ben|Sydney Opera House|Louvre",
    "school_subject": "biology|algebra|history|chemistry|geography|literature",
    "chemical": "H2O|NaCl|CO2|CH4|C6H12O6|NH3|HCl|O2",
    "gene": "BRCA1|TP53|EGFR|CFTR|MYC",
    "planet": "Mars|Venus|Jupiter|Saturn|Mercury|Neptune",
    "plant": "tomato|basil|oak|rose|sunflower|lavender|fern",
    "function": "x**2|3*x + 2|x**3 - x|2*x**2 + 5|sin(x)",
    "unit": "meters|kilometers|miles|feet|centimeters|inches|yards",
    "device": "living room lamp|bedroom heater|hall thermostat|garage door|kitchen light|front camera",
    "room": "kitchen|living room|bedroom|office|garage|bathroom|hall",
    "street": "High Street|Station Road|Maple Avenue|Church Lane|Harbor Road|Park Street|Mill Lane",
    "extension": "pdf|txt|csv|docx|png|md",
    "stem": "report|notes|budget|summary|plan|invoice|slides|contract|inventory|readme",
    "site": "example.com|example.org|shop.example.net|news.example.com|docs.example.org",
    "name_of_thing": "Blue Harbor|Aurora|Northwind|Maple|Compass|Riverside|Evergreen|Atlas|Juniper|Horizon",
    "question": "opening hours|delivery times|parking fees|return policy|cheapest plan|contact details",
    "problem": "the screen stays black|I cannot log in|the parcel never came|the app crashes at start|"
    "the bill is wrong",
}  # fmt: skip

_POOLS = {topic: tuple(text.split("|")) for topic, text in _LISTS.items()}

_WORDS: dict[str, str] = {
    "city": "city town location loc place destination dest origin departure arrival area",
    "state": "region state province",
    "country": "country nation",
    "airport": "airport",
    "airline": "airline",
    "first": "firstname",
    "last": "lastname surname",
    "person": "person author contact customer patient employee attendee attendees assignee owner director actor "
    "guest student doctor recipient sender lawyer president stylist",
    "username": "user username login handle",
    "email": "email mail",
    "phone": "phone telephone mobile",
    "company": "company organization organisation vendor supplier employer manufacturer brand client",
    "ticker": "ticker stock stocks symbol",
    "coin": "coin cryptocurrency",
    "product": "product item items goods",
    "pet": "pet dog",
    "animal": "animal species breed",
    "movie": "movie film show",
    "book": "book novel",
    "song": "song track album",
    "artist": "artist band musician",
    "genre": "genre genres",
    "cuisine": "cuisine",
    "dish": "food dish recipe meal",
    "ingredient": "ingredient ingredients",
    "restaurant": "restaurant",
    "language": "language lang",
    "currency": "currency currencies",
    "color": "color colour",
    "month": "month",
    "weekday": "day weekday",
    "timezone": "timezone tz",
    "topic": "topic query search",
    "keyword": "keyword keywords term",
    "subject": "subject",
    "message": "message msg text body content sentence paragraph",
    "note": "note notes comment description desc memo instructions details summary",
    "reason": "reason",
    "event": "event meeting appointment title",
    "task": "task todo",
    "project": "project repo repository",
    "team": "team club",
    "player": "player athlete",
    "sport": "sport league",
    "university": "university school college",
    "department": "department",
    "job": "job position role profession skill",
    "category": "category categories",
    "tag": "tag tags label labels",
    "folder": "folder directory",
    "hotel": "hotel venue",
    "landmark": "landmark museum",
    "chemical": "chemical compound molecule formula",
    "gene": "gene",
    "planet": "planet",
    "plant": "plant",
    "function": "function expression equation",
    "unit": "unit units",
    "device": "device",
    "room": "room",
    "address": "address street",
    "file": "file filename document image photo attachment",
    "path": "path",
    "url": "url uri link website homepage",
    "site": "domain host hostname",
    "zip": "zip zipcode postal postcode",
    "code": "id ids identifier code number reference sku key token",
    "password": "password",
    "date": "date dates birthday deadline dob checkin checkout start end since until",
    "time": "time hour",
    "datetime": "datetime timestamp",
    "question": "question",
    "problem": "issue problem complaint",
    "name_of_thing": "name",
    "ip": "ip",
}  # fmt: skip
"""Words of parameters' names, by topic."""
_KEYWORDS = {word: topic for topic, text in _WORDS.items() for word in text.split()}

_NAMED = {"pet": "pet", "dog": "pet", "user": "person", "customer": "person", "person": "person", "contact": "person",
          "player": "player", "employee": "person", "patient": "person", "lawyer": "person", "celebrity": "artist",
          "company": "company", "book": "book", "movie": "movie", "song": "song", "team": "team", "hotel": "hotel",
          "file": "file", "product": "product", "restaurant": "restaurant", "recipe": "dish"}  # fmt: skip
"""Of what the `name` is, by a word of the tool's name."""

_EXAMPLE = re.compile(
    r"(?:e\.g\.?,?|for example,?|for instance,?|such as|example:|examples?:|like|format of|format:)\s*[('\"‘“]*"
    r"['\"‘“]([^'\"’”]{1,60})['\"’”]",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"['\"‘“`]([^'\"’”`]{1,40})['\"’”`]")


@functools.lru_cache(maxsize=16384)
def topic_of(name: str, tool: str = "", described: str = "") -> str:
    """Return the topic of a parameter's texts: by its last word that says one, then the tool's, else none ("")."""
    parts = words(name)
    if parts[-1:] == ("name",) and len(parts) == 1:
        return next((_NAMED[word] for word in words(tool) if word in _NAMED), "name_of_thing")
    if parts[-1:] in (("name",), ("names",)) and parts[-2:-1] and parts[-2] in ("first", "last", "full", "user"):
        return {"first": "first", "last": "last", "full": "person", "user": "username"}[parts[-2]]
    if parts[-1:] == ("code",) and parts[-2:-1] in (("country",), ("language",)):
        return f"{parts[-2]}_code"
    named = [word for word in parts if word not in ("name", "names", "type", "target", "source", "new", "to", "from")]
    for word in reversed(named):
        if word in _KEYWORDS and not (word == "number" and len(named) > 1):
            return _KEYWORDS[word]
        if word.removesuffix("s") in _KEYWORDS:
            return _KEYWORDS[word.removesuffix("s")]
    said = re.findall(r"[a-z]+", described.lower())[:8]
    return next((_KEYWORDS[word] for word in said if word in _KEYWORDS), "")


@functools.lru_cache(maxsize=16384)
def examples_in(described: str) -> tuple[str, ...]:
    """Return the examples that a description gives in quotation marks, in their order."""
    first = _EXAMPLE.search(described)
    if first is None:
        return ()
    found = [first[1], *(m[1] for m in _QUOTED.finditer(described, first.end()))]
    return tuple(dict.fromkeys(text.strip() for text in found if _is_value(text)))


def draw(topic: str, random: Random) -> str:
    """Return a text of a topic; one that is not known gives a name of a thing."""
    if topic in _MADE:
        return _MADE[topic](random)
    return random.choice(_POOLS.get(topic) or _POOLS["name_of_thing"])


def topics() -> Iterable[str]:
    """Return all topics."""
    return (*_POOLS, *_MADE)


def _is_value(text: str) -> bool:
    text = text.strip()
    return bool(text) and "{" not in text and "format" not in text.lower() and not _PLACEHOLDER.search(text)


_PLACEHOLDER = re.compile(
    r"YYYY|\bMM\b|\bDD\b|HH:|City, (?:State|Country)|^(?:null|None|and|or|true|false)$|\bname\b", re.IGNORECASE
)


def _one(topic: str, random: Random) -> str:
    return random.choice(_POOLS[topic])


def _email(random: Random) -> str:
    first, last = (re.sub(r"[^a-z]", "", _without_accents(_one(topic, random))) for topic in ("first", "last"))
    return f"{first}.{last}@{_one('site', random)}"


def _without_accents(text: str) -> str:
    return unicodedata.normalize("NFKD", text.lower().replace("ł", "l")).encode("ascii", "ignore").decode()


def _file(random: Random) -> str:
    extra = random.choice(["", f"_{random.randint(2019, 2026)}", f"-{random.randint(1, 12)}", "_final"])
    return f"{_one('stem', random)}{extra}.{_one('extension', random)}"


def _clock(random: Random) -> str:
    return f"{random.randint(7, 21):02d}:{random.choice((0, 5, 10, 15, 20, 30, 40, 45)):02d}"


def _date(random: Random) -> str:
    return f"{random.randint(2023, 2027)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"


_MADE: dict[str, Callable[[Random], str]] = {
    "person": lambda random: f"{_one('first', random)} {_one('last', random)}",
    "username": lambda random: f"{_email(random).split('.')[0]}{random.randint(10, 99)}",
    "email": _email,
    "phone": lambda random: f"+1-{random.randint(201, 989)}-555-{random.randint(100, 199):04d}",
    "address": lambda random: f"{random.randint(1, 199)} {_one('street', random)}, {_one('city', random)}",
    "code": lambda random: random.choice("ABCDEFGHKLMNPRSTUVX") + random.choice("ABCDEFGHKLMNPRSTUVX")
    + f"-{random.randint(1000, 99999)}",
    "zip": lambda random: f"{random.randint(10000, 99999)}",
    "password": lambda random: f"{_one('color', random)}-{_one('plant', random)}-{random.randint(100, 999)}",
    "file": _file,
    "path": lambda random: f"/{_one('folder', random).lower()}/{_file(random)}",
    "url": lambda random: f"https://{_one('site', random)}/{_one('stem', random)}/{random.randint(10, 999)}",
    "ip": lambda random: f"192.0.2.{random.randint(1, 254)}",
    "date": _date,
    "time": _clock,
    "datetime": lambda random: f"{_date(random)}T{_clock(random)}:00Z",
    "uuid": lambda random: _uuid(random),
}  # fmt: skip


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
