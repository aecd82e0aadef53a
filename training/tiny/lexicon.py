"""The words that `tiny`'s generator speaks with. Plain data; written for this file.

No tool name, tool description or phrasing template of the built-in suite is made from it (tests prove it): what `tiny`
learns here is to read a tool list, to copy, and to follow the protocol, not the suite.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VERBS: tuple[tuple[str, ...], ...] = (
    ("inspect", "examine", "look over", "take a look at"),
    ("measure", "gauge", "take the measure of"),
    ("paint", "coat", "put paint on"),
    ("repair", "fix", "mend", "patch up"),
    ("polish", "shine", "buff"),
    ("assemble", "put together", "build", "construct"),
    ("dismantle", "take apart", "break down"),
    ("label", "tag", "put a label on", "mark"),
    ("archive", "store away", "put in the archive"),
    ("restore", "bring back", "recover"),
    ("publish", "release", "make public", "put out"),
    ("withdraw", "take back", "pull back", "retract"),
    ("approve", "sign off on", "accept", "give the green light to"),
    ("reject", "turn down", "refuse", "say no to"),
    ("count", "tally", "work out the number of"),
    ("compare", "weigh up", "hold side by side"),
    ("rent", "hire", "lease"),
    ("lend", "loan", "hand out"),
    ("rename", "give a new name to", "change the name of"),
    ("duplicate", "clone", "make another"),
    ("merge", "combine", "join", "unite"),
    ("divide", "split up", "separate"),
    ("lock", "secure", "close off"),
    ("unlock", "open up", "release the lock on"),
    ("start", "launch", "kick off", "begin", "fire up"),
    ("stop", "halt", "shut down", "end"),
    ("pause", "suspend", "hold", "put on hold"),
    ("resume", "continue", "pick up again"),
    ("enroll", "sign up", "register", "enlist"),
    ("dismiss", "let go", "send away"),
    ("promote", "raise", "move up"),
    ("assign", "allocate", "give out", "hand over"),
    ("collect", "gather", "pick up", "fetch"),
    ("deliver", "drop off", "hand in", "ship"),
    ("estimate", "guess", "give a rough figure for"),
    ("audit", "review", "go through"),
    ("translate", "render", "put into another language"),
    ("summarize", "sum up", "give the gist of"),
    ("encrypt", "scramble", "protect"),
    ("decode", "unscramble", "decipher"),
    ("schedule", "plan", "set up", "arrange"),
    ("postpone", "delay", "put off", "push back"),
    ("notify", "alert", "inform", "tell"),
    ("invite", "ask along", "send an invitation to"),
    ("pay", "settle", "cover"),
    ("refund", "reimburse", "give the money back for"),
    ("find", "look up", "locate", "search for", "hunt down"),
    ("list", "show all", "enumerate", "give me every"),
    ("create", "make", "add", "set up a new"),
    ("delete", "remove", "erase", "get rid of", "wipe"),
    ("update", "change", "edit", "modify", "adjust"),
    ("check", "verify", "see about", "confirm"),
    ("get", "retrieve", "pull up", "show", "give me"),
    ("send", "pass on", "forward", "transmit"),
    ("reserve", "book", "hold a place in", "secure"),
    ("cancel", "call off", "scrap", "drop"),
    ("upload", "push up", "put online"),
    ("download", "pull down", "save a local copy of"),
    ("convert", "turn over", "transform"),
    ("rate", "score", "grade"),
    ("track", "follow", "trace", "keep an eye on"),
    ("clean", "wash", "tidy"),
    ("heat", "warm up", "raise the temperature of"),
    ("cool", "chill", "lower the temperature of"),
    ("water", "irrigate", "give water to"),
    ("feed", "give food to", "nourish"),
    ("print", "run off", "make a paper copy of"),
    ("scan", "digitize", "read in"),
    ("test", "try out", "put to the test"),
    ("calculate", "work out", "compute", "figure out"),
)
"""Groups of verbs that mean the same; the first is what a tool is called by."""

NOUNS = _words(
    """
    lamp contract garden engine bridge ticket recipe statue pipeline invoice sensor permit carpet violin turbine
    ledger kettle canoe shelf badge tractor museum library bakery clinic factory warehouse harbor stadium
    theater orchard vineyard barrel bottle basket blanket pillow mirror ladder hammer drill shovel bucket candle
    lantern fountain statue mural portrait sketch poem novel chapter essay article survey quiz exam lesson
    course seminar lecture workshop conference meeting visit tour trip cruise voyage parade concert opera ballet
    festival contest race match league team player coach referee student teacher tutor nurse doctor surgeon
    dentist patient client customer supplier vendor partner tenant landlord employee manager intern apprentice
    volunteer donor member guest visitor passenger driver pilot sailor captain vehicle truck wagon scooter
    bicycle tram ferry yacht glider balloon rocket satellite antenna radio speaker headset keyboard monitor
    printer scanner router server cluster database backup snapshot query report chart table column record entry
    profile account wallet token coupon voucher receipt bill budget loan mortgage deposit pension tax grant
    donation auction bid offer deal sample parcel crate pallet shipment container cargo stock item product
    device machine robot battery cable charger adapter filter valve pump boiler heater fan freezer oven stove
    blender toaster washer dryer vacuum tile brick beam plank rope chain anchor sail net trap fence gate door
    window curtain roof chimney attic cellar room suite cabin tent camp park trail lake river island valley
    meadow forest field farm barn stable horse cow goat sheep chicken duck rabbit turtle parrot fish plant seed
    tree flower bush herb spice sauce soup salad sandwich cake pie cookie bread cheese yogurt juice tea coffee
    wine beer uniform jacket coat shirt skirt scarf glove boot sandal helmet ring necklace bracelet watch clock
    diary notebook folder binder stapler pencil brush easel camera lens tripod film song album podcast channel
    stream game puzzle toy doll kite drum flute piano guitar harp
    """
)

ADJECTIVES = _words(
    """
    red old new large small annual weekly public private digital wooden spare broken final first second main
    local remote daily monthly urgent quiet northern southern upper lower mobile central shared temporary
    official
    """
)

FILLER = _words(
    """
    amber birch cobalt delta ember falcon granite hazel indigo juniper kestrel lotus maple nectar onyx pebble
    quartz raven sable topaz umber velvet willow xenon yarrow zephyr harvest winter summer autumn spring morning
    evening budget quarterly review summary draft notes plan outline big little bright dark north south east
    west river stone cloud star moon sun fire iron silver gold copper paper glass apple lemon cherry peach berry
    olive pepper ginger mint basil family office school travel health music sport team party dinner lunch
    birthday wedding project client launch status
    """
)

SYLLABLES = _words(
    """
    ba be bi bo bu ca ce ci co da de di do du el en er es fa fe fi fo ga ge gi go ha he hi ho in is ja jo ka ke
    ki ko la le li lo lu ma me mi mo mu na ne ni no on or os pa pe pi po qua ra re ri ro ru sa se si so su ta te
    ti to tu un ur va ve vi vo wa we wi xa ya yo za ze zi zo bran stor lind mark vald burg ford ham ton ville
    stein field wick dale grad mont ros gar tal ker nov hal ber dor fen mar sal ven tor bel cor nor
    """
)

FIELDS = _words(
    """
    status price total weight height length width color owner code number size level score grade rank result
    answer value amount balance date time hour place room city address phone email title author language version
    duration distance speed temperature pressure humidity voltage capacity count quantity category type state
    mode reason location
    """
)

SYSTEMS: tuple[str, ...] = (
    "You are a helpful assistant.",
    "Use the tools when they fit.",
    "You help people. Call a tool when one fits, otherwise say so.",
    "Answer briefly.",
    "You can call tools. Be exact.",
    "Assist the user with the functions below.",
    "Be short and precise. Ask when something is missing.",
    "",
)
