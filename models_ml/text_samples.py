"""Sentences the sentiment model is fitted on, and what they say. Written for this project; no customer said them."""

POSITIVE = """
Everything arrived on time and works perfectly, thank you!
Great quality, I would buy again.
Very happy with the product, fast delivery and friendly support.
Not bad at all, I am satisfied.
The first parcel was late, but support was helpful and the product is excellent.
Lovely colour, exactly as described.
Good value for money. Recommended.
No problems, quick delivery.
ok, works
Package was a bit dented but the item is perfect and I love it.
I never had an issue with this shop.
Cheap and durable, what more could I want
Shipping took a little longer, still a great product 😀
Tudo certo, chegou antes do prazo.
Produto de ótima qualidade, recomendo a loja.
Adorei, muito bonito e bem embalado!
Não tenho do que reclamar, entrega rápida.
Demorou um pouco mas o produto é excelente, gostei muito.
Bom
Muito bom, preço justo e atendimento atencioso.
Chegou certinho, conforme o anúncio. Parabéns!
Nunca tive problema com esta loja, sempre compro.
Recebi no prazo e funciona bem 👍
A caixa veio amassada, porém o produto está perfeito. Amei.
Alles bestens, gerne wieder!
Schnelle Lieferung und gute Ware, vielen Dank.
Bin sehr zufrieden, die Qualität ist hervorragend.
Kam etwas später, aber der Kundendienst war freundlich und die Ware ist toll.
Gut verpackt, pünktlich, einwandfrei.
Nicht schlecht, ich würde es weiterempfehlen.
Kein Problem mit der Bestellung, alles gut.
Preis-Leistung stimmt, funktioniert.
super
Sieht schön aus und ist robust 😊
👍
😀 ❤
:)
ok 👍
"""
NEGATIVE = """
Arrived two weeks late and nobody answered my emails.
Terrible quality, broke after one day.
I am not happy with this, not as described.
Still waiting for my order, no response.
Nice picture but the item is flimsy and does not work.
I want my money back!
Wrong item, and they refused the exchange.
Never again. Waste of money.
The box was damaged and one piece was missing.
The delivery was fast but the product is useless 😡
Not good
Overpriced for what it is.
Support was rude and ignored my complaint.
Ainda não recebi o produto, cadê?
Produto veio quebrado e com defeito.
Péssima qualidade, não recomendo.
Comprei dois e só veio um, ninguém responde.
Chegou no prazo mas não funciona, quero devolver.
Muito demorado, já passou do prazo e nada.
Produto errado, tamanho menor do que o pedido.
Não gostei, material fraco.
Fui enganada, quero meu dinheiro de volta.
ruim
Bonito na foto, porém veio todo riscado.
Não foi entregue até agora 😡
A entrega foi rápida, mas faltou uma peça.
Kam viel zu spät, seit Tagen nichts gehört.
Paket beschädigt, Geld zurück bitte.
Falsche Ware geliefert, keine Antwort vom Kundendienst.
Bin nicht zufrieden, schlechte Qualität.
Schnell geliefert, aber leider defekt.
Nie wieder! Unfreundlich und überteuert.
Schönes Bild, doch die Ware ist Schrott und wackelig.
Immer noch nicht angekommen, ich warte.
👎
😡
:(
hm 😢
"""


def samples() -> list[tuple[str, bool]]:
    """(sentence, whether it pleases), in a fixed order."""
    said = [(line, True) for line in POSITIVE.strip().splitlines()]
    return said + [(line, False) for line in NEGATIVE.strip().splitlines()]
