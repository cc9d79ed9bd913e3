"""English words the text model knows: function words, valence, topics. `*` ends a prefix.

A phrase is words in a row. Written by hand for shops and marketplaces; what it learns from no customer it cannot tell.
"""

FUNCTION_WORDS = """
the a an and or but not no is was are were be been it its this that these those i we you he she they my our your to
of in on at for from with without by as so very too more most just when because if than then there here have has had
do does did will would could should can never always again still after before all only what who how great good nice
love thanks arrived order product delivery
"""

NEGATORS = """
not no never none nothing without hardly cannot cant dont didnt doesnt isnt wasnt wont wouldnt couldnt havent hasnt
arent werent
"""
CONTRASTS = "but; however; although; though; yet; except; unfortunately"

POSITIVE = """
good; great; excellent; perfect*; amazing; awesome; wonderful; fantastic; brilliant; superb; lovely; beautiful*;
nice; nicely; love; loved; loves; like it; likes; enjoy*; happy; pleased; satisf*; delighted; impress*; recommend*;
fast; quick*; prompt*; speedy; on time; in time; early; ahead of schedule; reliable; friendly; helpful; polite;
kind; professional; thank*; works; worked; works well; easy; smooth*; cheap; good value; great value; affordable;
well packed; well packaged; as described; as expected; as advertised; high quality; top quality; sturdy; durable;
comfortable; soft; best; better than; buy again; order again; ok; okay; fine; exceeded; trust*; no problem*;
no issues; no complaints; cant fault; flawless; five stars; worth; delicious; fresh; responsive; well made; pretty;
super
"""

NEGATIVE = """
bad; badly; poor*; terrible; horrible; awful; worst; worse; disappoint*; useless; garbage; rubbish; junk; crap;
trash; cheaply made; flimsy; broken; broke; breaks; defect*; faulty; damage*; cracked; scratch*; torn; ripped;
dented; leak*; stained; dirty; smashed; shattered; stopped working; late; delay*; slow; never arrived; not arrived;
not received; never received; not delivered; hasnt arrived; didnt arrive; havent received; still waiting; waiting;
still not; took weeks; took forever; overdue; lost; missing; wrong*; incorrect; incomplete; mixed up;
not as described; different from; too small; too big; too tight; doesnt fit; didnt fit; does not fit; does not work;
doesnt work; didnt work; not working; not happy; not good; not recommend; not satisfied; not worth; would not;
wont buy; never again; no response; no reply; no answer; not respond*; nobody; rude; unhelpful; ignored; ignore;
unhappy; unsatisf*; dissatisf*; complain*; refund*; money back; return; returning; returned; sent back; cancel*;
expensive; overpriced; rip off; ripoff; scam*; fraud*; fake; counterfeit; misleading; lie; lied; problem*; issue*;
error*; unfortunately; unacceptable; avoid; waste; regret*; frustrat*; annoy*; angry; uncomfortable; thin; hate*;
joke; could be better; mediocre; so so; sadly; smell*; cheated; disgust*; stolen
"""

TOPICS = {
    "delivery": """
        deliver*; ship*; arriv*; late; delay*; courier; postage; post; tracking; dispatch*; on time; parcel;
        transit; waiting; never received; not received; havent received; received
    """,
    "wrong_item": """
        wrong*; incorrect; missing; incomplete; mixed up; different item; another product; not what i ordered;
        only one; only received; short shipped
    """,
    "packaging": """
        packag*; packed; box; boxes; wrapping; wrapped; bubble wrap; carton
    """,
    "damage": """
        broken; broke; breaks; defect*; faulty; damage*; cracked; scratch*; torn; ripped; dented; leak*; smashed;
        shattered; stopped working; does not work; doesnt work; didnt work; not working
    """,
    "product_quality": """
        quality; product; item; material*; well made; cheaply made; flimsy; sturdy; durable; fabric; finish;
        workmanship; works; worked
    """,
    "as_described": """
        described; description; picture*; photo*; advertised; size; sizing; too small; too big; too tight; fit;
        fits; colour; color
    """,
    "price": """
        price*; pricey; cheap; expensive; overpriced; value; cost; costs; discount*; deal; bargain; rip off; ripoff;
        money
    """,
    "service": """
        service; support; staff; helpful; unhelpful; rude; polite; response; respond*; reply; replied; answer*;
        contact*; customer care; email*; phone; call; communication; complain*; agent
    """,
    "returns": """
        return; returns; returned; returning; refund*; exchange*; money back; sent back; cancel*; warranty;
        replacement; replace*
    """,
    "ordering": """
        website; site; checkout; payment; pay; card; invoice; billing; charged; app; account; ordering process
    """,
    "availability": """
        out of stock; in stock; stock; sold out; unavailable; available; backorder*; back order*
    """,
    "brand_trust": """
        recommend*; trust*; never again; buy again; order again; scam*; fraud*; company; brand; loyal; reputation;
        customer for; seller; avoid
    """,
    "sustainability": """
        sustainab*; environment*; eco; ecofriendly; recycl*; plastic; carbon; climate; organic; ethical*;
        fair trade; child labour; labour conditions; wasteful; green
    """,
}
