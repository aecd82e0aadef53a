"""Common English words, given and family names and little places. Plain data."""

from __future__ import annotations

WORDS: tuple[str, ...] = tuple(
    """
    able about above abroad absent accept accident according account across act action active activity actor
    actually add added address adult advance advice affair afford afraid africa after afternoon afterwards again
    against age agency agent ago agree ahead aim air airfare airline airport alarm album alert alive all allow
    almost alone along aloud already also although always am amazing america among amount an ancient and anger
    angle angry animal announce annual another answer answered ant any anybody anymore anyone anything anyway
    anywhere apart appear apple application appointment april are area argue arm army around arrange arrival arrive
    arrived arrives art article artist as asia ask asked asking asleep assistant at atom atomic attack attempt
    attention aunt australia author automatic autumn available average avoid awake award aware away awful baby back
    bad badly bag balance ball band bank bar bare base basic basis bass bath be beach bear beat beautiful became
    because become becomes bed been before began begin beginning begins begun behind being belief believe bell
    belong below belt bend beneath benefit beside besides best bet better between beyond big bigger biggest bill
    bird birth birthday bit bite bitter black blame blank blind block blood blow blows blue board boat body boiling
    bomb bone bones book booked booking books border bored boring born borrow boss both bother bottle bottom bought
    bowl box boy brain branch brave brazil bread break breakfast breath breathe brief bright bring bringing brings
    broke broken brother brought brown brush budget build building built bulk burn bus bush business busy but
    butter button buy buyer buying buys by cable cake calendar call called caller calling calls calm came camera
    camp can canada cancel cancelled cannot capital captain car card care careful carefully carries carry case cash
    castle cat catch category caught cause cell cent central centre century certain certainly chain chair chance
    change changed changes changing channel chapter character charge cheap cheaper cheapest check checked cheer
    cheese chef chemical chess chest chicken chief child childhood children china choice choose chose chosen church
    circle citizen city claim class classic clean clear clearly clever click climate climb clock close closed
    closer closest cloth clothes cloud clouds cloudy club coach coal coast coat code coffee coin cold colder
    coldest colleague collect college colour colours come comes comfort comfortable coming comment common company
    compare complete completely computer concern concert condition conditions connect connection contact contacts
    contain contains content contest continue contract control conversation cook cookie cool copies copy corner
    correct cost costs could council count counted country couple course court cousin cover covered covers cow
    crazy cream create created creature credit crew crime cross crowd crown cry culture cup curious current
    currently custom customer cut cute cycle dad daily damage damp dance dancing danger dangerous dare dark
    darkness data date dates daughter day daylight days dead deal dear death debt decade december decide decided
    deep deer degree degrees delay delayed delete deleted deliver delivered delivery demand dentist depart
    department departure depend depth describe desert deserve design desk despite detail details develop device
    dictionary did die died diet difference different difficult dig dinner direct direction directly dirt dirty
    disappear discount discover discovered discuss disease dish disk distance divide do doctor document documents
    does dog doing dollar dollars done donkey door double doubt down dozen draft drag drama draw drawing drawn
    dream dreams dress drink drive driven driver drives drop dropped dropping drove drug dry due dull dump during
    dust duty each eager ear early earn earth easier easily east eastern easy eat eaten edge edit editor education
    effect effort egg egypt eight either electric element else email emails embassy emergency empty encourage end
    ended ending ends enemy energy engine engineer england english enjoy enough enter entertain entire entirely
    entrance entry equal error escape especially etc euro euros europe even evening event events eventually ever
    every everybody everyone everything everywhere evidence exact exactly exam example excellent except excited
    exciting excuse exercise exist existing exit expect expected expensive experience expert explain express extra
    extremely eye eyes face fact factor factory fail failed fails failure fair fairly faith fall fallen falls false
    fame familiar family famous fan far fare fares farm farmer farther fashion fast faster fastest fat father fault
    favor favorite favourite fear february fee feed feel feeling feels feet fell fellow felt female fence festival
    fetch fever few fewer field fifteen fifth fifty fight figure figures file filed files fill filled film films
    final finally find finding finds fine finger finish finished fire firm first fish fit five fix flag flat flew
    flies flight flights floor flow flower flowers fly flying focus folder folders follow following food foot
    football for force forecast forecasts foreign forest forever forget forgot forgotten form former forms forth
    forty forward found four fourth fox frame france free freedom freezing french fresh friday friend friendly
    friends frog from front fruit full fully fun funny furniture further future gain game games gap garden gas gate
    gather gave general generally gentle german germany get gets getting ghost gift girl give given gives giving
    glad glass go goal god goes going gold golden gone good goodbye goodnight got government grade grain grand
    grandfather grandmother grass gravity great greater greatest greece green greet grew grey ground group grow
    growing grown growth guard guess guest guests guide guilty guitar gun guy had hair half hall hand handed handle
    hands hang happen happened happening happens happily happy harbor hard harder hardly has hat hate have having
    he head health healthy hear heard heart heat heaven heavy height held hell hello help helped helpful helps
    hence her here hero herself hey hi hidden hide high higher highest highly hill him himself his history hit hits
    hobby hold holding holds hole holiday holidays home honest honey hope horse hospital host hot hotel hotels
    hotter hottest hour hours house how however huge human humans hundred hungry hunt hurricane hurry hurt husband
    ice idea identity if ill illness image imagine immediate immediately important impossible improve in inbox inch
    include included includes including income increase indeed india indoor industry inform information inside
    instead insurance intelligent interest interested interesting international internet interview into introduce
    invent invented invite invited iron is island issue it italy item items its itself jam january japan japanese
    job jobs join joined joke journal journey joy judge juice july jump june just justice keep keeping keeps kept
    key keys kick kid kids kill kilo kilometers kind king kitchen knee knew knife knock know knowing knowledge
    known knows lack lady laid lake lamb lamp land landing language large larger largest last late lately later
    latest laugh law lay lazy lead leader leaf league learn learned least leather leave leaves leaving led left leg
    legs lend length less lesson let lets letter letters level lie lies life lift light lighter lightning lights
    like liked likely likes limit line lines link lion lips list listed listen listening little live lived lives
    living load loan local locate located location lock locked lonely long longer longest look looked looking looks
    lord lose lost lot lots loud love loved lovely loves low lower lowest luck lucky luggage lunch machine mad made
    magazine magic mail mailbox mails main mainly major make makes making male man manage manager manner many map
    march mark marked market married marry mass master match material math matter maximum may maybe mayor me meal
    mean meaning means meant measure measured meat medical medicine medium meet meeting meetings meets melt melting
    member members memo memory men mention menu mercury mess message messages met metal meter method mice middle
    midnight might mild mile miles milk mill million mind mine minimum minor minute minutes mirror miss missed
    missing mistake mix mobile mode model modern mom moment monday money monkey month monthly months mood moon more
    morning most mostly mother mountain mountains mouse mouth move moved movement moves movie movies moving much
    mud murder muscle muscles museum music must my myself mystery name named names narrow nation national native
    natural nature near nearby nearest nearly necessary neck need needed needs negative neighbour neither nephew
    nerve nervous net network never new newer newest newly news newspaper next nice niece night nights nine no
    nobody noise none nor normal normally north northern nose not note notebook notebooks noted notes nothing
    notice novel november now nowhere number numbers nurse nut object observe obvious obviously occur ocean october
    odd of off offer offers office officer official often oil okay old older oldest olympic on once one ones only
    onto open opened opening opens opera opinion opposite or orange order ordered orders ordinary organ original
    other others otherwise ought our ours ourselves out outdoor outlook outside over own owner owns oxygen pack
    packed page pages paid pain paint painted painter painting pair palace pale pan paper papers parcel parent
    parents park parking part particular partly partner parts party pass passed passenger past path patient pattern
    pause pay paying payment payments pays peace peak pen penguin people pepper per percent perfect perform perhaps
    period permanently permission person personal pet phone photo photograph physical piano pick picked picture
    pictures pie piece pieces pig pile pill pilot pink pipe place placed places plain plan plane planes planet
    planets planned planning plans plant plastic plate play played player playing playlist playlists plays pleasant
    please pleased plenty plus pocket poem poet poetry point points poison police policy polite political pollution
    pool poor popular population port position positive possible possibly post postcard poster pot potato pound
    pour power powerful practice pray predicted prefer prepare present presents president press pressure pretty
    prevent previous price prices pride primary prince princess print printed prison private prize probably problem
    process produce product products profile profit program progress project promise proper properly property
    protect proud prove provide public publish pull pump pupil purchase pure purple purpose push put puts putting
    puzzle pyramid quality quarter queen question questions queue quick quickly quiet quite quiz race radio rail
    railway rain rainy raise ran random range rapid rare rarely rate rather raw reach reached reaches read reader
    reading reads ready real reality realize really reason reasons receive received recent recently recipe record
    recorded records recover red reduce refuse regard region regular reject related relative relax release released
    religion remain remains remember remind reminder remove removed rent rental repair repeat replace reply report
    reports request requests require rescue research reservation reserve reserved respect response responsible rest
    restaurant result results return returned returns reveal review reward rice rich ride right ring rise risk
    river rivers road rock role roll roman romantic rome roof room rooms root rope rose rough round route row royal
    rubbish rude rule rules run running runs russia sad safe safely safety said sail salad salary sale salt same
    sample sand sat saturday save saved saves saving savings saw say saying says scale scared scene schedule
    scheduled school science score screen sea seal search searching season seat seats second secret secretary
    section secure see seed seem seems seen select self sell sells send sender sending sends sense sent sentence
    separate september series serious seriously serve service services session set sets setting settle seven
    several shadow shake shall shame shape share shared shares sharp she sheep sheet shelf shell shift shine ship
    shipped shirt shock shoe shoes shoot shop shopping shore short shorter should shoulder shout show showed shower
    showing shown shows shut shy sick side sight sign signal silent silly silver similar simple simply since sing
    singer single sink sister sit site sitting situation six size skill skin skip sky sleep slept slide slip slot
    slow slowly small smaller smallest smart smell smile smoke smooth snake snow snowy so soap social sock soft
    software soil solar sold soldier solid solution some somebody someone something sometimes somewhere son song
    songs soon sore sorry sort sorts soul sound soup source south southern space spain speak speaker speaking
    speaks special specific speech speed speeds spell spend spending spent spider spirit spoke spoken sport sports
    spot spread spring square stage stairs stamp stand standing stands star stare stars start started starting
    starts state statement states station stations stay staying stays steady steal steel step steps stick still
    stock stocks stolen stomach stone stood stop stopped stopping stops store stored stores storm storms stormy
    story straight strange stranger stream street strength stress strike string strong stronger strongest struck
    student study stuff stupid style subject success successful such sudden suddenly suffer sugar suggest suit
    summer sun sunday sunny sunrise sunset supper supply support suppose sure surely surface surprise surprised
    survey survive sweet swim switch symbol system table tail take taken takes taking tale talk talking talks tall
    tape task tasks taste taught tax taxi tea teach teacher team tear tears teeth telephone television tell telling
    tells temperature temperatures temple ten tend tends tennis terrible test text than thank thanks that the
    theater their theirs them themselves then theory there therefore these they thick thief thin thing things think
    thinking thinks third thirsty thirty this those though thought thoughts thousand thread threat three threw
    through throughout throw thrown thumb thunder thursday thus ticket tickets tidal tide tides tie tiger tight
    till time times tin tiny tip tired title to today toe together told tomorrow tone tongue tonight too took tool
    tools tooth top topic total totally touch tour tourist toward towards tower town track tracks trade traffic
    train trains transfer translate trap travel traveled traveling travels treasure treat tree trees trial trick
    tried tries trip trips trouble truck true truly trust truth try trying tube tuesday tune turkey turn turned
    turning turns twelve twenty twice twin two type typed typical typically ugly unable uncle under understand
    understood unhappy uniform union unit units university unknown unless unlike unread until unusual up update
    upon upper upset upstairs urgent us usa use used useful useless user users uses using usual usually vacation
    valley valuable value values various vast vegetable vegetables version very victory video view village violin
    virus visa visit visited visitor visitors vitamin voice volcano vote wage wait waited waiting wake walk walked
    walking wall want wanted wants war warm warmer warmest warn warning was wash waste watch watched watching water
    waters wave waves way ways we weak weapon wear weather web website wedding wednesday week weekend weekends
    weekly weeks weight welcome well went were west western wet whale what whatever wheel when whenever where
    wherever whether which while white who whoever whole whom whose why wide wife wild will willing win wind window
    winds windy wine wing wings winner winter wire wise wish with within without woke wolf woman women won wonder
    wonderful wood wooden wool word words wore work worked worker working works world worried worry worse worst
    worth would wound wrap write writer writes writing written wrong wrote yard yeah year yearly years yellow yes
    yesterday yet you young younger your yours yourself youth zero zone zoo
    """.split()  # noqa: SIM905
)

NAMES: tuple[str, ...] = tuple(
    """
    Aaron Abdul Adam Adele Agnes Ahmed Aiko Alan Albert Alejandro Alex Alfred Ali Alice Alma Amara Amelia Amina Ana
    Anders Andrea Andrew Angela Anil Anita Ann Anna Anton Antonio Ari Arjun Arthur Asha Astrid August Aya Barbara
    Bashir Beata Bella Benedikt Bernard Betty Bianca Bjorn Bo Boris Brenda Brian Bridget Caleb Carla Carlos Carmen
    Caroline Cecil Celine Chandra Charles Charlotte Chen Chidi Chiyo Christa Claire Clara Claude Clement Connor
    Cora Cyrus Dagmar Dalia Damian Dana Danielle David Dean Deborah Denise Dennis Derek Diana Dimitri Dina Dominic
    Donald Dora Doris Douglas Edgar Edith Edward Eileen Elena Eli Elias Elise Ella Ellen Elsa Emil Emily Emma Enzo
    Erica Ernest Esther Ethan Eva Evelyn Ezra Fabian Faith Farid Fergus Finn Fiona Florence Frances Francis Frank
    Freda Frida Gabriel Gail Gareth Gemma Gerald Gilbert Gina Giulia Gloria Gordon Greta Guido Gunnar Gustav Habib
    Hamza Hana Hans Harold Haruto Hassan Hazel Heidi Henrik Henry Hilda Hiro Holly Howard Hussein Ibrahim Ida Igor
    Ikram Ilse Imran Irene Iris Irma Isaac Isabel Ismail Ivy Jack Jacob Jade Jakob Jamal James Jan Jane Janet
    Jasmine Jason Javier Jean Jenny Jerome Jessica Jin Joan Joel Johan John Jordan Jorge Josef Joyce Juan Judith
    Julian Kai Kamal Karen Karl Kasper Kate Kavita Keiko Keith Kenji Kevin Khalid Kim Klaus Kumar Kurt Kyle Lara
    Latifa Laura Lea Lena Leo Leon Levi Lila Lin Linda Ling Lionel Lisa Lola Louis Louise Luca Lucas Lucy Luis Luka
    Luna Lydia Magda Malik Manuel Mara Marcel Margaret Maria Marie Marina Mario Marta Martha Martin Mary Matilda
    Matthew Maurice Max Maya Melissa Mia Michael Miguel Mila Milan Ming Mira Mohamed Mona Monica Morgan Moses
    Mustafa Nadine Nancy Naoki Natalie Nathan Neil Nelson Nick Nina Nora Norman Odette Olaf Olga Oliver Olivia
    Omari Otto Pablo Paolo Patricia Paul Paula Pedro Penny Petra Philip Pierre Pilar Quentin Rachel Rafael Raj
    Ramon Rashid Raul Rebecca Regina Rene Rita Robert Robin Roger Roland Roman Ronald Rosie Roy Rudolf Russell Ryan
    Sabine Said Sakura Salma Sam Samira Sandra Sanjay Sara Sasha Scott Sean Sergei Shan Sharon Sheila Sigrid Silvia
    Sonia Stefan Stella Stephen Steven Sue Susan Sven Sylvia Takeshi Tamara Tanya Tara Teresa Terry Thomas Tilda
    Tim Tina Tobias Todd Tom Tony Tove Trevor Ulf Uma Ursula Uwe Vera Victor Vikram Vincent Viola Wanda Wendy
    Wilhelm William Winston Xavier Yan Yara Yasmin Yosef Yuri Yusuf Yves Zain Zara Zeno Zoe Abbott Adler Aguilar
    Akintola Allen Almeida Andersen Arnold Bailey Baker Banerjee Barnes Bauer Bennett Bergman Berry Black Blake
    Boyd Brooks Brown Burke Campbell Castillo Chang Chopra Clark Cohen Collins Cooper Costa Cruz Davies Dawson Diaz
    Dixon Duarte Duncan Edwards Eriksen Evans Farrell Fernandez Fischer Fisher Foster Fraser Friedman Garcia Gibson
    Gomez Grant Green Gupta Hansen Harris Hayes Hernandez Hill Hoffman Hughes Hunter Ito Ivanov Jackson Jansen
    Jensen Johnson Jones Kato Kaufmann Khan Klein Knight Kovacs Kruger Larsen Lee Lehmann Lewis Li Lopez Maier
    Marino Martinez Mason Meyer Miller Mitchell Moore Morales Moreau Morris Murphy Nakamura Nguyen Nielsen Nilsson
    Nowak Oduya Ortega Park Patel Perez Peterson Phillips Pires Powell Ramirez Reed Reyes Richter Rivera Roberts
    Robinson Rossi Sanchez Santos Sato Schmidt Schneider Shah Singh Smith Sokolov Stewart Suzuki Svensson Taylor
    Thompson Torres Turner Vogel Wagner Walker Wang Ward Watson White Williams Wilson Wolf Wood Wright Yamada Yang
    Young Zhang Zimmermann
    """.split()  # noqa: SIM905
)

PLACES: tuple[str, ...] = tuple(
    """
    Abermouth, Aldermoor, Amberfield, Arlow, Ashcombe, Aston Mere, Bakewater, Balmoor, Barrow End, Beckford,
    Belmarsh, Birchwood, Blackpine, Bramley Cross, Brenford, Brightwater, Broadmere, Brookhaven, Burlow,
    Caldermouth, Canfield, Carrick Bay, Cedar Falls, Chalk Hill, Clearbrook, Cliffport, Coldstream, Copperton,
    Cranmere, Crow Hollow, Dalby, Darrow, Deepdale, Dellwood, Dorvale, Dunmore, Eastmarsh, Eldham, Elkton, Elm
    Grove, Fairhollow, Fallow Hill, Farrowdale, Fenwick, Ferndale, Fielding, Fox Creek, Frostholm, Gallowmere,
    Garrison Point, Glenmoor, Goldcrest, Granby, Greyhaven, Grimsford, Hadlow, Halstead, Hartwell, Hawk Ridge,
    Hazelton, Heathfield, Highmoor, Hollowbrook, Honeyford, Ironbridge, Ivydale, Jasper Lake, Kelmore, Kestrel Bay,
    Kingsmere, Kirkholm, Lakeside, Larkhill, Laurel Springs, Lindenau, Little Barrow, Longmere, Lowfield,
    Maplewood, Marlow Green, Marshend, Meadowbank, Millbrook, Moorgate, Mossley, Narrowdale, Nettleton, Newhaven,
    Northmere, Oakham, Old Ferry, Orchard Vale, Otterbrook, Palmerton, Pebble Beach, Pinecrest, Plumstead, Poplar
    Hill, Quarry Bank, Ravenscar, Red Harbor, Ridgeway, Riverton, Rockford, Rosedale, Rowanbrook, Saltmarsh, Sandy
    Point, Seahurst, Shadowmere, Silver Lake, Snowfield, Southwick, Spring Valley, Stagford, Starling, Stonebridge,
    Summerton, Sunfield, Swanley, Tallow Creek, Tanglewood, Thornbury, Three Oaks, Timberlake, Tolland, Trevane,
    Underhill, Upper Slade, Vale Cross, Verdon, Wakefield, Walnut Grove, Waterloo, Westmere, Whitcombe, White
    Sands, Wildwood, Willowdale, Windmere, Winter Park, Wolfdale, Woodlow, Yarrowby, Yewtree, Zellerau, Zinnow
    """.replace("\n", " ").split(", ")
)
PLACES = tuple(" ".join(place.split()) for place in PLACES)
