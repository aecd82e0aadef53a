"""Things, adjectives, result fields, parameter names and choices that `tiny`'s generator makes tools of."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    """Return the words of `text`."""
    return tuple(text.split())


def _groups(text: str) -> tuple[tuple[str, ...], ...]:
    """Return comma-separated groups, their members separated by slashes."""
    return tuple(tuple(group.split("/")) for group in " ".join(text.split()).split(", "))


THINGS: tuple[tuple[str, ...], ...] = _groups(
    """
    lamp/light, bulb/light bulb, candle, lantern, torch/flashlight, sofa/couch/settee, chair/seat, stool, bench, table,
    desk/work table, bed, mattress, pillow/cushion, blanket/cover, sheet/bed linen, towel/bath towel, curtain/drape,
    blind/window shade, carpet/rug, mat/doormat, shelf/rack, cupboard/cabinet, wardrobe/closet, drawer, mirror,
    vase/flower pot, basket/hamper, bucket/pail, box/carton, bin/trash can/garbage can, bag/sack, suitcase/luggage,
    backpack/rucksack, purse/handbag, wallet/billfold, umbrella, key/door key, lock/padlock, door, doorbell/door bell,
    window, wall, floor, ceiling, roof/rooftop, stairs/staircase/steps, elevator/lift, balcony/terrace, garage/carport,
    cellar/basement, attic/loft, kitchen, bathroom/restroom/washroom, bedroom, hall/hallway/corridor,
    lounge/living space, garden/yard, lawn/grass, fence/railing, gate, house/home/residence, apartment/flat, cottage,
    building, tent, fireplace/hearth, chimney, heater/radiator, heating/central heating, electric fan/ventilator,
    air conditioner/cooling unit/aircon, thermostat, oven, stove/cooker, fridge/refrigerator, freezer/deep freeze,
    microwave, dishwasher, washer/washing machine, dryer/tumble dryer, vacuum/hoover/vacuum cleaner,
    kettle/water boiler, toaster, blender/mixer, coffee maker/coffee machine, tap/faucet, sink/basin, shower,
    bathtub/bath, toilet/loo, pipe/tube, pump, boiler, plug, outlet/wall socket, switch, battery/power cell, charger,
    cable/cord/wire, generator, meter/gauge, pan/frying pan, pot/cooking pot, plate/dish, bowl, cup, mug, glass, bottle,
    jar, can, tray, knife, fork, spoon, napkin/serviette, soap, shampoo, toothbrush, razor/shaver, comb, sponge, broom,
    mop, laundry/washing, tissue, perfume/fragrance, lotion/cream, hammer, drill/power drill, saw, screwdriver,
    wrench/spanner, ladder, shovel/spade, hose/garden hose, screw, bolt, rope, chain, string/twine, tape/sticky tape,
    glue/adhesive, paint, brush, wood/timber, brick, stone/rock, tile, steel, tool/implement, toolbox/tool kit, machine,
    engine/motor, robot/bot, device/gadget, appliance, equipment/gear, part/component, spare part/replacement part,
    sensor/detector, alarm/siren, clock, watch/wristwatch, timer/stopwatch, scale, filter, lens, magnet, button,
    zipper/zip, wheel, handle/grip, shirt, t-shirt/tee, blouse, sweater/jumper/pullover, jacket, coat/overcoat,
    dress/gown, skirt, trousers/pants/slacks, jeans/denims, shorts, suit/business suit, tie/necktie, scarf/shawl, hat,
    cap, glove, sock, shoe/footwear, boot, belt, uniform, swimsuit/bathing suit, underwear/undergarment,
    pajamas/nightwear, costume, outfit/attire, clothes/clothing/garments, jewelry/jewels, ring, necklace, bracelet,
    earring, glasses/spectacles/eyeglasses, sunglasses/shades, helmet/hard hat, apron, badge/name tag, sticker/decal,
    flag/banner, mask/face mask, bread/loaf, roll/bun, cake, pie/tart, cookie/biscuit, pancake, sandwich,
    burger/hamburger, pizza, pasta/noodles, rice, soup/broth, stew, salad, sauce, steak, sausage, chicken, beef, meat,
    fish, egg, cheese, butter, milk, yogurt, ice cream, chocolate, candy/sweets, sugar, salt, pepper, spice/seasoning,
    flour, oil, honey, fruit, apple, banana, lemon, grape, cherry, vegetable/veggie, potato/spud, tomato, onion, carrot,
    bean, corn/maize, mushroom, garlic, water, juice, soda/soft drink, lemonade, tea, coffee, wine, beer, cocktail,
    drink/beverage, meal, breakfast/morning meal, lunch/midday meal, dinner/supper/evening meal, snack/nibble,
    dessert/pudding, recipe/cooking instructions, ingredient, menu/bill of fare, diet/eating plan, food/groceries,
    portion/serving, buffet, feast/banquet, picnic, barbecue/bbq, shopping list/grocery list, takeaway/takeout,
    person/individual, man, woman, child/kid, baby/infant, boy, girl, teenager/teen/adolescent, adult/grown-up,
    friend/pal/buddy, neighbor, guest/visitor, partner, family/relatives, parent, mother/mom/mum, father/dad, son,
    daughter, brother, sister, husband, wife/spouse, uncle, aunt, cousin, grandmother/grandma, grandfather/grandpa,
    nephew, niece, crowd, group, team/squad/crew, club/society, member, audience/spectators, volunteer/helper, citizen,
    resident/inhabitant, newcomer/new arrival, tourist/sightseer, traveler/voyager, passenger/rider, pedestrian,
    driver/chauffeur, pilot, sailor/seaman, captain/skipper, soldier, officer, policeman/police officer/cop,
    firefighter/fireman, guard/security guard, detective/investigator, judge/magistrate, lawyer/attorney/solicitor,
    witness, physician/doctor/md, nurse, surgeon, dentist/tooth doctor, vet/animal doctor/veterinarian,
    pharmacist/chemist, therapist/counselor, patient/sick person, teacher/schoolteacher, tutor/private teacher,
    professor, student, pupil/schoolchild, trainer/coach, athlete/sportsman, player, referee/umpire, fan/supporter,
    champion, rival/opponent, scientist, researcher, engineer, architect, designer, developer/programmer/coder,
    technician, mechanic, electrician, plumber, carpenter/woodworker, painter, cleaner/janitor, gardener, farmer, baker,
    cook/chef, waiter/waitress, barber/hairdresser, photographer, journalist/reporter, writer/author, editor, publisher,
    artist, actor, singer/vocalist, musician, dancer, comedian, director, producer, boss/superior, manager/supervisor,
    employee/worker/staff member, colleague/coworker, intern/trainee, secretary/office assistant, clerk, cashier,
    consultant/adviser, accountant/bookkeeper, banker, investor, agent, broker, seller/vendor/merchant, buyer/purchaser,
    customer/shopper, client, supplier/provider, owner, landlord, tenant/renter, roommate/flatmate, candidate,
    applicant/job seeker, recruiter/headhunter, founder, president, minister, mayor, ambassador, hero, priest/clergyman,
    babysitter/nanny/sitter, courier/delivery person, interpreter, donor/giver, subscriber, user, admin/administrator,
    operator, host, expert/specialist, beginner/novice, leader, winner, prisoner/inmate, office, workplace,
    company/firm, business/enterprise, startup, factory/manufacturing plant, warehouse/storehouse/depot, shop/store,
    department store, supermarket/grocery store, mall/shopping center, market/marketplace, bakery, pharmacy/drugstore,
    bookshop/bookstore, restaurant/eatery, cafe/coffee shop, bar/pub, kiosk, bank, post office, hospital,
    clinic/medical center, school, kindergarten/nursery school, college, university/uni, library, museum, gallery,
    theater/playhouse, cinema/movie theater, stadium/arena, gym/fitness center, pool/swimming pool, spa, park,
    playground, zoo, circus, church, castle/fortress, tower, monument/memorial, statue/sculpture, fountain,
    cemetery/graveyard, prison/jail, court/law court, embassy/consulate, town hall/city hall, farm, barn, stable,
    greenhouse, orchard, vineyard/winery, camp/campsite, resort, hostel, inn/guesthouse, cabin/hut, shelter,
    port/harbor, dock, airport, bus stop, parking lot/car park, parking space/parking spot, gas pump/fuel pump,
    workshop, laboratory/lab, studio, headquarters/main office, branch/local office, site, venue, region, city, town,
    village, suburb/outskirts, country, capital, district/neighborhood, square/plaza, street/road/lane,
    highway/motorway/freeway, bridge, tunnel, crossing/crosswalk, corner, sidewalk/pavement, traffic light, traffic jam,
    border/frontier, address/postal address, car/automobile, taxi/cab, bus, van/minivan, truck/lorry, trailer, tractor,
    bike/bicycle/cycle, motorcycle/motorbike, scooter/moped, tram/streetcar, subway/metro/underground, ferry, boat,
    ship/vessel, yacht, canoe/kayak, plane/airplane/aircraft, helicopter/chopper, drone, balloon, rocket, satellite,
    spaceship/spacecraft, vehicle, ambulance, fire truck/fire engine, wagon/cart, stroller/baby carriage, sled/sleigh,
    tire, brake, fuel/gas, license plate/number plate, route/itinerary, map, trip/excursion, journey/voyage, cruise,
    tour/guided tour, ride, vacation/holiday, ticket/admission pass, boarding pass, passport, visa, baggage claim,
    rental car/hire car, driving license/driver's license, toll/road charge, fare/cost of travel, departure, arrival,
    delay/holdup, detour/diversion, destination, distance, speed/velocity, cargo/freight, shipment/consignment,
    delivery, parcel/package, container, crate, pallet, envelope, stamp, postcard, mailbox, fleet, anchor, sail, tree,
    bush/shrub, flower/blossom, rose, plant, seed, leaf, root, forest/woods/woodland, jungle/rainforest, field,
    meadow/pasture, hill, mountain, valley, canyon/gorge, cave/cavern, desert, beach/seashore, coast/shoreline, island,
    sea/ocean, lake, pond, river, brook/creek, waterfall, swamp/marsh, earthquake/tremor, flood, wildfire/forest fire,
    drought/dry spell, wind/breeze, rain/rainfall, snow/snowfall, ice, fog/mist, cloud, rainbow, sun, moon, star,
    planet, sky, earth/globe, soil/dirt, crop, harvest, trail/footpath/hiking path, landscape/scenery, animal/creature,
    pet, dog/hound, puppy, cat, kitten, bird, horse, cow, pig, sheep, goat, rabbit/bunny, hamster, mouse, duck,
    turtle/tortoise, parrot, snake/serpent, lion, tiger, deer, monkey, elephant, dolphin, bee, butterfly, insect/bug,
    nest, cage, aquarium/fish tank, kennel/doghouse, paper, pen, pencil, marker, eraser/rubber, ruler, stapler,
    scissors, notebook/notepad, binder/ring binder, calendar, planner, whiteboard, blackboard/chalkboard, document,
    form, contract/agreement, report, summary/recap/overview, draft, copy/duplicate, brochure/leaflet/flyer,
    poster/placard, catalog, manual/handbook/user guide, guide, checklist/to-do list, list, chart/diagram, graph,
    spreadsheet/worksheet, presentation/slideshow, slide, proposal, plan, project, meeting, conference/congress,
    seminar, webinar/online seminar, interview, call/phone call, agenda, minutes/meeting record, deadline/due date,
    milestone, goal/target/aim, strategy, policy/guideline, rule/regulation, law, permit/permission, license,
    certificate, diploma, patent, trademark, brand, logo/emblem, slogan/tagline, signature/autograph, archive,
    directory, register/registry, survey/questionnaire, poll, vote/ballot, petition, election, campaign,
    complaint/grievance, feedback, review, rating/score, comment/remark, suggestion/tip, idea, question/query,
    answer/reply/response, problem/trouble, solution/remedy, mistake/error, warning, announcement/public notice,
    invitation, greeting, apology, reminder/nudge, wish, promise/pledge, secret, joke/gag, rumor/gossip, speech/talk,
    debate/discussion, conversation/chat, argument/quarrel, decision, choice/option, job/position, vacancy/job opening,
    career, resume/cv/curriculum vitae, application, shift, overtime/extra hours, salary/pay/wages, bonus,
    promotion/advancement, raise, retirement, pension, day off/leave, sick day, training, skill/ability, qualification,
    duty/responsibility, department/division, workload, assignment, strike/walkout, union/labor union, internship,
    mentor, bill/invoice, receipt/proof of purchase, payment, transaction/transfer, deposit/down payment, loan/credit,
    mortgage/home loan, debt, interest/interest rate, tax/levy, fee/charge, fine/penalty, budget/spending plan,
    expense/cost/expenditure, income/earnings, profit/gain, loss, savings/nest egg, investment, fund, bond, dividend,
    insurance/coverage, insurance claim, refund/reimbursement, discount/rebate, sale/clearance, offer/bid,
    quote/estimate, auction, purchase/acquisition, shopping cart/trolley, shopping bag, wish list, gift/present,
    gift certificate, reward/prize, lottery/raffle, donation/contribution, grant/subsidy, scholarship, coin, cash,
    currency, credit limit, bank statement, vault/safe, deal/bargain, rent/rental payment, lease/rental agreement,
    subscription, membership, warranty/guarantee, return, inventory/supplies, item/article for sale, sample/specimen,
    bestseller/top seller, barcode/bar code, size chart, label/tag, cash register/till, health/wellness,
    illness/disease/sickness, flu/influenza, fever/high temperature, cough, headache, pain/ache, injury/wound, allergy,
    infection, virus, medicine/medication/drug, pill/tablet, prescription, vaccine/shot/jab, bandage, therapy/treatment,
    surgery/operation, checkup/physical exam, diagnosis, symptom, x-ray, blood, blood pressure,
    heartbeat/pulse/heart rate, weight, height, sleep/slumber, dream, nightmare/bad dream, exercise,
    workout/training session, yoga, massage, meditation, calorie intake/energy intake, vitamin/supplement,
    first aid kit/medical kit, wheelchair, thermometer, emergency, rescue, accident/crash, head, face, eye, tooth, hair,
    heart, stomach/belly/tummy, haircut/hairdo, computer/pc, laptop/notebook computer, screen/display, keyboard,
    trackpad/touchpad, printer, scanner, copier/photocopier, webcam, microphone/mic, headphones/headset/earphones,
    speaker/loudspeaker, phone/telephone, smartphone/mobile/cell phone, camera, television/tv/telly, radio,
    remote control, projector/beamer, console, joystick/game controller, router, modem, server/host machine, network,
    internet, wifi/wireless network, hotspot, website/web page/homepage, blog/weblog, forum/discussion board, browser,
    search engine, link/hyperlink, bookmark/favorite, password/passcode, username/login name, login/sign-in, profile,
    avatar/profile picture, setting/preference, app/mobile app, program/software, plugin/add-on, widget, script, code,
    function, module, database, dataset/data collection, record, row, column, backup/safety copy, snapshot, log/logbook,
    dashboard, notification, popup, icon/symbol, font/typeface, template/boilerplate, theme,
    wallpaper/desktop background, desktop, browser tab, shortcut/hotkey, clipboard, hard drive/hard disk,
    memory stick/usb stick/thumb drive, memory/ram, disk space/storage, processor/cpu, chip, cluster, virtual machine,
    deployment/rollout, release, version, update/patch, upgrade, download, upload, installation/setup, repository/repo,
    defect/glitch, crash report, test, pipeline, workflow, scheduler, webhook, endpoint, access token, firewall,
    encryption, domain, proxy, session, cache, spam/junk, inbox, attachment/enclosure, newsletter/bulletin,
    mailing list, signal, antenna/aerial, data plan, sim, ringtone, voicemail/answering machine, video call, chatbot,
    picture/image, photo/photograph, drawing, sketch, painting, portrait/likeness, video/clip,
    film/movie/motion picture, movie trailer, scene, episode, series/tv show, documentary, cartoon/animation,
    broadcast/telecast, live stream, channel, podcast/audio show, recording, melody/tune, opera, musical,
    band/music group, orchestra, choir/chorus, musical instrument, piano, guitar, violin/fiddle, drum, flute, trumpet,
    noise/sound, volume/loudness, voice, accent, book, novel, story/tale, fairy tale, poem/verse, essay,
    biography/life story, comic/comic book, diary/journal, magazine/periodical, newspaper/daily paper, news/headlines,
    newspaper article/news story, headline, press release, encyclopedia, dictionary, textbook/schoolbook, chapter,
    paragraph/passage, sentence, word, phrase, title, subtitle/caption, translation, transcript, language, grammar,
    advertisement/ad/commercial, exhibition/exhibit, festival/fair, parade/procession, ceremony, wedding/marriage,
    engagement, funeral/burial, birthday/anniversary, party/celebration, dance, ball, show/performance, play/stage play,
    magic trick, hobby/pastime, game/board game, video game, puzzle/riddle, crossword, quiz/trivia, chess,
    toy/plaything, kite, teddy bear/stuffed animal, lesson/class, course/study program, lecture, exam/examination,
    homework/school assignment, grade, degree, timetable/class schedule, semester/term, subject/school subject,
    mathematics/math/maths, history, geography, biology, chemistry, physics, science, experiment, theory, formula,
    equation, number/figure, sum, percentage, average/mean, line, point, measurement, length, width, depth, size, shape,
    color/hue, pattern, temperature, pressure, humidity/moisture, energy, electricity/electric power, heat/warmth,
    fire/blaze, explosion/blast, dust, trash/garbage/rubbish, recycling, sport, football/soccer, basketball, baseball,
    tennis, golf, hockey, volleyball, swimming, running/jogging, hike, marathon, race, match,
    tournament/competition/contest, league, championship, season, trophy, medal, ski, skateboard, surfboard,
    fishing rod/fishing pole, sleeping bag, binoculars/field glasses, telescope, life, age, joy/happiness, anger/rage,
    sadness/sorrow, hope, luck/fortune, peace, war, freedom/liberty, justice, trust, courage/bravery, knowledge,
    intelligence, opinion/view, religion/faith, culture, tradition/custom, habit/routine, behavior/conduct, character,
    feeling/emotion, effort, success/achievement, advantage/benefit, disadvantage/drawback, risk/hazard, danger/peril,
    safety, security, crime/offense, robbery/stickup, fraud/scam, clue, evidence/proof, cause/reason,
    effect/consequence, result/outcome, change/alteration, connection/relationship, example/instance, detail, piece/bit,
    beginning/start, ending/finish, middle/center, direction, place/spot, area/zone, minute, hour, day, week, month,
    year, morning, afternoon, evening, night, weekend, summer, autumn/fall, winter, moment/instant, date, duration,
    pause/break, turn, step, stage/phase, level, limit/maximum, amount/quantity, set, collection, category/type,
    quality, standard, requirement, condition, access/entry, attempt/try, challenge, adventure, surprise, visit, stay,
    arrangement, help/assistance, service, advice, favor/good turn, nickname, surname/last name/family name,
    citizenship/nationality, census
    """
)
"""Things that tools are about, the first of each group, and what else they are called."""

ADJECTIVES: tuple[str, ...] = _words(
    """
    able active actual advanced afraid aged alive amazing ancient angry annual automatic available average bad basic
    beautiful best better big bitter black blank blue bold brave brief bright broad broken brown busy calm careful
    central certain cheap chief classic clean clear clever closed cold comfortable common complete complex confidential
    cool correct corporate cracked crucial current curious custom daily damaged dark dead dear deep default delicate
    delicious detailed different difficult digital dirty distant domestic double draft dry dull duplicate early eastern
    easy elegant electric electronic emergency empty enormous entire equal essential exact excellent exclusive expensive
    expired express external extra fair false familiar famous fancy fast favorite final fine first flat flexible foreign
    formal former fragile frequent fresh friendly frozen full funny future general gentle genuine giant global gold good
    gray great green half handmade handy happy hard healthy heavy hidden high honest hot hourly huge identical important
    indoor initial inner innocent internal international joint junior key large last late latest lazy left legal light
    likely little local long loose lost loud lovely low lower loyal lucky main major manual massive master maximum
    medical medium mental metal mild minor missing mobile modern monthly narrow national natural near neat negative new
    next nice noisy normal northern obvious odd official old online open orange ordinary organic original other outdoor
    outer own packed paid pale past perfect permanent personal pink plain plastic pleasant polite poor popular portable
    positive possible premium pretty previous primary private professional proper proud public pure purple quick quiet
    random rapid rare raw ready real recent red regional regular reliable remote right rough round royal safe scheduled
    second secondary secret secure select senior separate serious shallow sharp shiny short sick silent silver similar
    simple single slow small smart smooth social soft solid sour southern spare special specific standard steep still
    straight strange strict strong sudden sunny super sweet tall temporary thick thin third tiny tired total tough
    traditional typical ugly unique unusual upper urgent used useful usual valid valuable vast vintage virtual visible
    warm weak wealthy weekly western wet white whole wide wild wise wooden wrong yearly yellow young
    """
)
"""What a thing may be told from others by."""

FIELDS: tuple[tuple[str, ...], ...] = _groups(
    """
    total/sum/full amount/grand total, price/cost/asking price, amount/sum of money, subtotal/sum before tax,
    tax/tax amount, fee/charge/service fee, fare/ticket price, discount/price cut/percent off, rate/current rate,
    exchange_rate/rate of exchange, interest_rate/interest/yearly interest, balance/remaining money/money left,
    deposit/down payment, salary/pay/wage, budget/spending limit, profit/gain/earnings, revenue/turnover/income,
    debt/amount owed, credit/credit left, currency/kind of money/currency code, value/worth, market_value/worth today,
    tip/gratuity, refund/refund amount/money back, penalty/late fee, bonus/extra pay, points/number of points,
    status/state/current state, progress/percent done/share that is done, phase/current phase, stage/current stage,
    health/health state/condition, availability/current availability, visibility/audience,
    priority/urgency/rank of urgency, severity/seriousness, risk/risk level/danger, result/outcome/final result,
    verdict/judgment/ruling, answer/reply/response, reason/cause/explanation, error/error text/problem, warning/caution,
    name/full name, title/heading/full title, nickname/short name, label/tag/label text,
    description/details/short description, summary/gist/short version, comment/remark/latest comment, note/annotation,
    content/contents/body, text/wording/exact words, headline/top line, slogan/motto, topic/subject/theme,
    language/spoken language, translation/translated text, meaning/definition/sense, synonym/similar word,
    spelling/correct spelling, pronunciation/sound/right way to say, origin/source/provenance, id/identifier/id number,
    code/short code, number/assigned number, serial_number/serial/serial no, reference/reference number/ref,
    tracking_number/tracking code/tracking id, confirmation/confirmation code/confirmation number,
    barcode/bar code number, version/version number/release, model/model name/make, brand/maker/manufacturer,
    pin/pin code, password/passcode, token/access token, username/user name/login name, checksum/hash, key/access key,
    url/web address/link, website/homepage/web page, domain/domain name, ip_address/ip/network address,
    port/port number, host/host name/server name, path/full path/location on disk, filename/name on disk,
    format/file type/encoding, extension/file ending, size/dimensions/measurements, file_size/bytes/size on disk,
    storage/space used, free_space/space left, email/email address, phone/phone number/telephone number,
    address/street address/postal address, street/street name, city/town, country/nation, region/province,
    postcode/zip code/zip/postal code, place/spot/whereabouts, location/position, latitude/degrees north,
    longitude/degrees east, altitude/height above sea level, direction/bearing, origin_city/starting city,
    destination/end point/final stop, route/way/path taken, distance/miles/distance in miles, stops/number of stops,
    floor/storey/floor number, gate/gate number, platform/platform number, terminal/terminal number, seat/seat number,
    seats_left/open seats/remaining seats, row/row number, aisle/aisle number,
    capacity/maximum number of people/number of people allowed, occupancy/people inside,
    attendance/turnout/number of people there, guests/number of guests/guest count, owner/holder/rightful owner,
    author/writer/creator, sender/originator, receiver/recipient, manager/person in charge/boss,
    assignee/assigned person, supplier/vendor/seller, customer/buyer/client, driver/driver name, teacher/instructor,
    artist/performer/singer, director/person directing, winner/first place/champion, leader/front runner,
    opponent/other side, team/squad, company/firm/business name, department/division/unit in charge,
    members/member count/number of members, followers/follower count, date/day/exact date, time/hour/exact time,
    start/start time/beginning, end/end time/finish, duration/length of time/running time, deadline/due date/last day,
    created/creation date/date made, updated/last change/last update,
    expiry/expiry date/expiration date/end of validity, arrival/arrival time/time of arrival,
    departure/departure time/time of departure, eta/estimated arrival/expected arrival, delay/minutes late/holdup,
    opening_hours/hours/open hours/business hours, closing_time/closing hour/time of closing,
    next_run/next start/time of the next run, last_seen/last time seen, release_date/release day/day of release,
    birthday/birth date/date of birth, age/years/number of years, year/year made, season/time of year,
    frequency/rate of repetition, interval/time between two, timezone/time zone, weight/mass/weight in kilos,
    height/vertical size, width/breadth, length/overall length, depth/full depth, thickness/gauge,
    area/surface/square meters, volume/cubic size, radius/half the diameter, angle/slope, shape/form,
    color/colour/shade, material/fabric, texture/surface feel, pattern/design, temperature/heat/degrees,
    humidity/moisture/dampness, pressure/air pressure, wind_speed/wind/speed of the wind, rainfall/rain/amount of rain,
    brightness/light level, noise_level/loudness/noise, voltage/volts, power/wattage/power use,
    current/electric current/amps, battery/battery level/charge left, signal/signal strength/reception,
    speed/velocity/pace, bandwidth/data rate, latency/response time/lag, uptime/time running,
    load/current load/workload, memory/memory use/ram used, fuel/fuel level/gas left, mileage/miles driven,
    pulse/heart rate/beats per minute, calories/energy/calorie count, dose/dosage/amount to take,
    ingredients/list of ingredients/contents list, flavor/taste, rating/stars/average rating,
    score/current score/final score, grade/mark/school grade, rank/ranking/position in the list, level/current level,
    difficulty/difficulty level/degree of difficulty, quality/quality level, accuracy/precision/share that is right,
    chance/probability/odds/likelihood, average/mean, median/middle value, minimum/lowest value/least,
    maximum/highest value/most/upper limit, limit/cap/ceiling, threshold/cutoff, difference/gap/change between the two,
    growth/increase/rise, count/tally/number of entries, quantity/number of pieces/units,
    stock/pieces in stock/number left, remaining/rest/remainder, views/view count/number of views,
    likes/like count/number of likes, downloads/download count, votes/vote count/number of votes,
    reviews/number of reviews, errors/error count/number of errors, pages/page count/number of pages,
    words/word count/number of words, lines/line count/number of lines, items/item count/number of items,
    category/group/class, type/kind/sort, mode/current mode/setting, unit/unit of measure, genre/style,
    policy/rules/terms, warranty/guarantee/length of the guarantee, contract_end/end of the contract,
    permission/access level/rights, license/license type, method/procedure/way of doing,
    payment_method/way to pay/means of payment, shipping_cost/delivery cost/postage, delivery_date/delivery day,
    plan/current plan/subscription type, recommendation/advice/suggestion, next_step/next thing to do
    """
)
"""Fields of results, and what people call them in "what is the … of the lamp"."""

PARAMETERS: dict[str, tuple[str, ...]] = {
    "name": _words(
        """
        owner city destination sender receiver recipient guest person name full_name first_name last_name customer
        client user username author artist teacher student doctor patient driver passenger member employee manager
        assignee player team company brand supplier vendor shop country region origin place location venue street
        hometown host visitor contact neighbor leader friend winner nickname pet_name from_city
        """
    ),
    "text": _words(
        """
        title subject topic message description text body content note comment remark summary reason question answer
        query keyword keywords search_term phrase sentence label caption headline heading instructions details feedback
        reply greeting slogan purpose goal theme idea prompt explanation complaint review wish request memo hint
        lyrics word item ingredient
        """
    ),
    "code": _words(
        """
        id order_id reference serial ticket_number code user_id item_id customer_id account_id product_id invoice_id
        case_number booking_code tracking_number serial_number reference_code confirmation_code coupon_code promo_code
        voucher_code barcode sku isbn pin passcode token key session_id device_id job_id task_id project_id room_number
        flight_number seat_number plate_number card_number contract_id license_key member_id employee_id batch_id
        transaction_id document_id parcel_id zip_code postcode version_id tag
        """
    ),
    "email": _words(
        """
        email email_address mail address recipient_email sender_email user_email customer_email contact_email
        work_email owner_email guest_email member_email client_email student_email teacher_email manager_email
        support_email billing_email backup_email reply_to send_to from_email to_email cc bcc login_email new_email
        old_email personal_email office_email team_email admin_email author_email to_address from_address
        """
    ),
    "date": _words(
        """
        date day start_date deadline end_date due_date birthday birth_date arrival_date departure_date delivery_date
        from_date to_date check_in check_out on_date since until expiry expiry_date release_date travel_date
        return_date pickup_date payment_date order_date event_date meeting_day first_day last_day target_date
        renewal_date purchase_date new_date hire_date exam_date visit_day valid_until weekday
        """
    ),
    "time": _words(
        """
        time start_time end_time at_time hour start_hour end_hour alarm_time arrival_time departure_time pickup_time
        delivery_time meeting_time opening_time closing_time wake_time bed_time lunch_time dinner_time check_time
        run_time call_time reminder_time begin_time finish_time from_time to_time new_time show_time boarding_time
        lesson_time visit_time shift_start shift_end earliest latest launch_time
        """
    ),
    "file": _words(
        """
        path filename source file file_name file_path filepath source_file target_file target input_file output_file
        input output document attachment image photo picture video report spreadsheet log_file config_file backup_file
        template template_file data_file audio_file script save_as upload export_file import_file logo icon
        source_path target_path output_path input_path archive dataset
        """
    ),
    "integer": _words(
        """
        count quantity guests minutes hours days weeks months years people seats pages copies items units adults
        children nights rooms age year floor page row column line position rank level score points rounds
        players attempts retries size_limit max_results top_n steps laps seconds volume_level channel port stars
        bags passengers repeats
        """
    ),
    "number": _words(
        """
        price amount weight limit height width length depth distance temperature speed rate discount percent
        percentage tip budget cost fee total value ratio factor scale radius angle pressure voltage humidity
        threshold minimum maximum max_price min_price interest tax_rate deposit latitude longitude brightness
        volume dose duration salary balance area power
        """
    ),
    "enum": _words(
        """
        mode priority unit size color type kind category status style format language level_name quality state
        currency sort_by sort_order direction frequency period shape theme_name layout method payment_method
        travel_class meal_type room_type difficulty severity role visibility scope stage season genre material
        flavor channel_type plan tier urgency option strategy
        """
    ),
}
"""Names of parameters by the kind of value that they take (`values.KINDS`)."""

ENUMS: tuple[tuple[str, ...], ...] = _groups(
    """
    low/medium/high, low/normal/high/urgent, minor/major/critical, economy/business/first, small/medium/large,
    xs/s/m/l/xl, tiny/small/big/huge, short/medium/long, light/medium/heavy, slow/normal/fast, easy/medium/hard,
    beginner/intermediate/advanced/expert, basic/plus/premium, bronze/silver/gold/platinum, standard/express/overnight,
    red/green/blue, black/white/gray, red/orange/yellow/green/blue/purple, light/dark, light/dark/auto, on/off,
    on/off/auto, yes/no, yes/no/maybe, true/false, open/closed, open/pending/closed, active/inactive,
    draft/published/archived, new/used/refurbished, new/running/done/failed, todo/doing/done, pass/fail, public/private,
    public/internal/secret, read/write/admin, owner/editor/viewer, guest/member/admin, celsius/fahrenheit/kelvin,
    metric/imperial, grams/kilograms/pounds/ounces, meters/kilometers/miles/feet, seconds/minutes/hours/days,
    liters/gallons, bytes/kilobytes/megabytes/gigabytes, usd/eur/gbp/jpy/chf, hourly/daily/weekly,
    daily/weekly/monthly/yearly, once/daily/always, day/week/month/year, morning/afternoon/evening/night,
    breakfast/lunch/dinner/snack, spring/summer/autumn/winter, weekday/weekend, past/present/future,
    north/south/east/west, left/right, left/center/right, top/middle/bottom, up/down, up/down/left/right, front/back,
    inside/outside, indoor/outdoor, portrait/landscape/square, circle/square/triangle, ascending/descending, asc/desc,
    newest/oldest/cheapest/nearest, name/date/size, relevance/price/rating, car/bike/bus/walk, driving/walking/cycling,
    single/double/suite, single/twin/family, window/middle/aisle, one_way/return, cash/card/transfer, credit/debit,
    cash/check/paypal, rent/buy, buy/sell, pickup/delivery, phone/sms/letter, push/sms/none, png/jpg/gif/webp,
    mp3/wav/flac, csv/json/xml, pdf/docx/txt/html, html/plain, english/german/french/spanish, formal/casual,
    formal/friendly/funny, happy/sad/angry/calm, rock/jazz/pop/classical, comedy/drama/horror/action,
    fiction/poetry/science/history, cotton/wool/silk/linen, wood/metal/glass/plastic, vanilla/chocolate/strawberry,
    sweet/sour/salty/spicy, vegan/vegetarian/any, mild/medium/hot, rare/medium/well_done, small/regular/large,
    still/sparkling, hot/cold/iced, dog/cat/bird/fish, male/female/other, child/adult/senior,
    full_time/part_time/contract, sick/vacation/unpaid, manual/automatic, petrol/diesel/electric/hybrid,
    eco/normal/boost, quiet/normal/loud, silent/vibrate/ring, debug/info/warning/error, dev/staging/production,
    merge/replace/skip, copy/move/link, fast/balanced/exact, draft/normal/best, none/some/all, first/last/random,
    min/max/average, sum/mean/median, line/bar/pie, win/lose/draw, home/away, gas/water/electricity
    """
)
"""Choices of one enum each."""
