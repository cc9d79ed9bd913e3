"""German words the text model knows: function words, valence, topics. Umlauts are spelled out; `*` ends a prefix.

A phrase is words in a row. Written by hand for shops and marketplaces; what it learns from no customer it cannot tell.
"""

FUNCTION_WORDS = """
der die das den dem des ein eine einen einem einer und oder aber nicht kein keine ist war sind waren wird wurde habe
hat hatte haben ich wir sie er es mir mich uns zu zum zur mit ohne von vom bei fuer auf aus nach vor seit noch schon
sehr so wie auch nur wenn weil dass als immer nie mehr bin kam leider alles gerne wieder ware lieferung schnell gut
gute guter schoen schoene bestens zufrieden danke geht wuerde koennte sein
"""

NEGATORS = """
nicht nie niemals kein keine keinen keinem keiner ohne kaum weder
"""
CONTRASTS = "aber; jedoch; allerdings; trotzdem; obwohl; sondern; leider"

POSITIVE = """
gut; gute; guter; gutes; guten; prima; super; toll; tolle; toller; tolles; klasse; spitze; bestens; beste; perfekt*;
hervorragend*; ausgezeichnet*; wunderbar*; wunderschoen*; schoen*; huebsch*; liebe; lieben; begeister*; zufrieden*;
empfehl*; empfehlenswert; weiterempfehl*; schnell*; zuegig*; puenktlich*; rechtzeitig; fruehzeitig; frueher als;
vor dem termin; zuverlaessig*; freundlich*; hilfsbereit*; nett*; kompetent*; gerne wieder; immer wieder;
jederzeit wieder; danke; dankeschoen; vielen dank; funktioniert; einwandfrei*; tadellos*; reibungslos*; problemlos*;
unkompliziert; einfach; guenstig*; preiswert*; fairer preis; preis leistung; gut verpackt; sicher verpackt;
wie beschrieben; wie erwartet; hochwertig*; robust; stabil; bequem*; lecker; passt; top; ok; okay; alles bestens;
alles gut; empfehle; genial; freue; gefreut; gefaellt; zuvorkommend; vertrauen*; keine probleme; kein problem;
nichts zu meckern; uebertroffen
"""

NEGATIVE = """
schlecht*; schlimm*; mangelhaft*; miserabel; furchtbar*; schrecklich*; enttaeusch*; aergerlich*; aerger*;
unverschaemt*; frech*; unfreundlich*; muell; schrott; minderwertig*; billig verarbeitet; kaputt*; defekt*;
beschaedig*; zerbrochen; gebrochen; zerkratzt*; kratzer; verkratzt*; riss; gerissen; undicht; verbeult; fleck*;
verschmutzt; spaet; zu spaet; verspaet*; verzoeger*; dauert; dauerte; gewartet; warte; warten; nichts gehoert;
nicht angekommen; nicht geliefert; nicht erhalten; nie angekommen; immer noch nicht; noch nicht; lange; falsch*;
verwechselt; fehlt*; fehlte; fehlen*; unvollstaendig*; anders als; nicht wie beschrieben; zu klein; zu gross;
zu eng; passt nicht; nicht zufrieden; nicht empfehl*; nicht weiterempfehl*; nie wieder; nicht mehr; keine antwort;
keine reaktion; antwortet nicht; reagiert nicht; meldet sich nicht; niemand; unzufrieden*; reklam*; beschwer*;
geld zurueck; erstatt*; rueckerstatt*; storn*; umtausch*; zuruecksenden; zurueckgeschickt; teuer*; ueberteuert*;
wucher; abzocke; betrug; betrog*; fake; faelschung; unserioes*; luege; gelogen; problem*; fehler*; leider; naja;
geht so; besser sein; verbesserungs*; koennte besser; haette; unbrauchbar*; funktioniert nicht; unsicher; angeblich;
katastroph*; zumutung; frust*; schade; wackelig*; duenn; stinkt; schwach*; verloren
"""

TOPICS = {
    "delivery": """
        liefer*; gelief*; versand*; versend*; zustell*; angekommen; ankam; kam; spaet; verspaet*; verzoeger*;
        paket; puenktlich*; termin; sendung*; paketbote; dhl; post; unterwegs; schnell da; rechtzeitig; seit tagen;
        seit wochen
    """,
    "wrong_item": """
        falsch*; verwechselt; fehlt*; fehlte; fehlen*; unvollstaendig*; anderes produkt; andere ware;
        falsche groesse; anderer artikel; nur einen; nur eine
    """,
    "packaging": """
        verpack*; verpackung; karton; umverpackung; eingepackt; polster*
    """,
    "damage": """
        kaputt*; defekt*; beschaedig*; zerbrochen; gebrochen; zerkratzt*; kratzer; verkratzt*; riss; gerissen;
        undicht; verbeult; funktioniert nicht; scherben; geht nicht
    """,
    "product_quality": """
        qualitaet*; ware; verarbeit*; material*; hochwertig*; minderwertig*; robust; stabil; haltbar*; produkt;
        artikel; stoff; schrott; kanne; wackelig*
    """,
    "as_described": """
        beschreib*; beschrieben; abbildung; foto; bild; groesse; zu klein; zu gross; zu eng; passt; farbe;
        anders als; masse
    """,
    "price": """
        preis*; teuer*; guenstig*; preiswert*; billig*; kosten; versandkosten; rabatt*; angebot; ueberteuert*;
        wucher; abzocke
    """,
    "service": """
        service*; kundendienst; kundenservice; support; hotline; antwort*; antwortet; reagiert; reaktion; kontakt;
        freundlich*; unfreundlich*; mitarbeiter*; beratung; hilfsbereit*; beschwer*; rueckruf; meldet sich;
        nichts gehoert
    """,
    "returns": """
        retour*; rueckgabe; ruecksend*; zuruecksenden; zurueckgeschickt; umtausch*; geld zurueck; erstatt*;
        rueckerstatt*; storn*; garantie; gewaehrleistung; reklam*; widerruf
    """,
    "ordering": """
        webseite; website; seite; shop; bestellvorgang; bezahl*; zahlung*; rechnung; kreditkarte; app; konto;
        anmeldung; bestellprozess
    """,
    "availability": """
        ausverkauft; nicht lieferbar; lieferbar; vorraetig; verfuegbar*; lager; nachbestell*
    """,
    "brand_trust": """
        empfehl*; weiterempfehl*; gerne wieder; immer wieder; nie wieder; vertrauen*; serioes*; unserioes*; betrug;
        stammkund*; marke; jederzeit wieder; kunde
    """,
    "sustainability": """
        nachhaltig*; umwelt*; plastikfrei; plastik; recycel*; recycl*; oekolog*; bio; klima*; co2; fair gehandelt;
        fairtrade; arbeitsbedingungen; kinderarbeit; muellberg
    """,
}
