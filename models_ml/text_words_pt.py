"""Portuguese words the text model knows: function words, valence, topics. Accents are left out; `*` ends a prefix.

A phrase is words in a row. Written by hand for shops and marketplaces; what it learns from no customer it cannot tell.
"""

FUNCTION_WORDS = """
o a os as um uma de do da dos das no na nos nas em por pelo pela para pra com sem que e ou mas nao ja foi era ser
esta estou estava veio meu minha meus seu sua muito muita bem mais menos ainda quando porque pois eu voces voce ele
ela isso esse essa este esta ate tem tinha fui ao aos como so tambem recebi chegou comprei produto entrega compra
loja prazo bom boa otimo otima tudo certo antes obrigado obrigada recomendo gostei adorei amei excelente nada
"""

NEGATORS = """
nao nunca sem nem jamais nenhum nenhuma
"""
CONTRASTS = "mas; porem; contudo; entretanto; todavia; embora; so que"

POSITIVE = """
otim*; bom; boa; bons; boas; excelent*; excelencia; perfeit*; maravilh*; lind*; bonit*; adorei; adoramos; amei; amo;
amamos; gostei; gostamos; gosto; gostando; gostou; amou; adorou; recomend*; indico; super indico; satisfeit*;
satisfat*; satisfez; parabens; eficien*; eficaz; rapid*; rapidez; agil; agilidade; confiavel; confianca; seguro;
seria; show; top; nota 10; nota dez; mil; feliz; contente; obrigad*; agradec*; certinh*; direitinh*; tudo certo;
tudo ok; tudo bem; deu certo; correto; corretamente; conforme; de acordo; como esperado; que esperava;
que eu esperava; do esperado; expectativa*; superou; supera; atende*; antes do prazo; antes do previsto;
antes da data; antes do esperado; dentro do prazo; no prazo; em dia; pontual*; bem embalado; bem embalada;
otimo custo; custo beneficio; vale a pena; vale muito; valeu a pena; sem problema*; sem defeito*;
nao tenho do que reclamar; nada a reclamar; sempre compro; comprarei; voltarei; compraria novamente; compro sempre;
fofo; fofa; quentinh*; pratico; pratica; confortavel; resistente; original; original*; nota mil; impecavel;
fantastic*; sensacional; incrivel; legal; bacana; beleza; caprich*; atencios*; educad*; cumpriu; cumpre; cumprid*;
funciona; funcionando; funcionou; facil; barat*; ok; durav*; linda; qualidade; sucesso; surpreend*; encant*;
muito antes; adiantad*; chegou antes; bem antes; elegante; macio; macia; cheiros*; delici*; elogi*; inteiro
"""

NEGATIVE = """
ruim; ruins; pessim*; horrivel; horriveis; terrivel; lixo; porcaria; fraco; fraca; frac*; fragil; frageis; defeit*;
quebrad*; quebrou; quebra; rasgad*; furad*; amassad*; danificad*; estragad*; riscad*; arranhad*; trincad*; rachad*;
torta; torto; sujo; suja; vencid*; manchad*; descascad*; descol*; solto; soltou; soltando; atras*; demor*;
nao recebi; nao recebemos; nao chegou; nao chegaram; nao entreg*; nao foi entregue; ainda nao receb*;
ainda nao cheg*; ainda nao entreg*; ainda nao veio; ainda nao foi; nao veio; nada de chegar; ate agora nada;
ate o momento nada; ate o momento nao; ate agora nao; fora do prazo; depois do prazo; apos o prazo; prazo longo;
passou do prazo; muito longo; nunca chegou; aguardando; aguardo; esperando; espera de; cade; errad*; trocad*;
trocaram; diferente; diferentes; outro produto; incomplet*; faltou; faltando; falta; faltam; faltava; so veio;
veio so; apenas um; so recebi; veio um; so chegou; somente um; recebi apenas; recebi so; nao gostei; nao recomend*;
nao compr*; nao compro mais; nunca mais; nao funcion*; nao serve*; nao serviu; nao presta; nao respond*; nao atend*;
nao gost*; nao deu; nao consegui*; nao consigo; nao resolv*; nao corresponde*; enganad*; enganos*; engano; golpe;
fraude; falso; falsific*; paralelo; mentira; propaganda; decep*; decepcion*; insatisf*; frustrad*; frustra*;
chatead*; triste; lament*; infeliz*; problem*; dificuldade; dificil; confus*; falha; reclam*; absurdo; vergonha;
descaso; desrespeito; irresponsa*; incompeten*; procon; processo; justica; caro; cara; carissim*; abusiv*; devolv*;
devolu*; estorn*; reembols*; ressarc*; cancel*; dinheiro de volta; sem resposta; sem retorno; sem contato;
sem nota fiscal; ninguem; desisti; arrepend*; mal feito; mal embalad*; muito mal; tao mal; mau; pior; piores;
inferior; baixa qualidade; qualidade baixa; fino; fina; pequeno demais; menor; apertad*; desconfort*;
gato por lebre; nao vale; deixou a desejar; deixa a desejar; poderia*; poderiam; deveria*; regular; razoavel;
queim*; parou; desbot*; vaz*; extravi*; roub*; perdid*; sumiu; nao e original; detest*; odiei; odeio; nao indico;
quero; solucao; imitacao; copia; desconten*; precisa melhorar; pode melhorar; sem comunicacao; falta de; cobranca;
nao confi*; nao foi
"""

TOPICS = {
    "delivery": """
        entreg*; prazo*; chegou; chegar; chegaram; chegada; atras*; demor*; frete; correio*; transportador*;
        rastre*; recebi; receber; recebimento; previsao; previst*; enviad*; envio; enviaram; postad*; postag*;
        rapidez; pontual*; aguardando; extravi*; carteiro; motoboy
    """,
    "wrong_item": """
        errad*; trocaram; outro produto; veio outr*; produto diferente; cor diferente; modelo diferente;
        veio diferente; incomplet*; faltou; faltando; faltam; so veio; veio so; veio apenas; apenas um; somente um;
        recebi apenas; recebi so; so recebi; so chegou; veio um; nao veio; faltava
    """,
    "packaging": """
        embal*; caixa; pacote; plastico bolha; mal acondicionad*; lacre; lacrad*; embrulh*
    """,
    "damage": """
        quebrad*; quebrou; defeit*; danificad*; estragad*; amassad*; rasgad*; furad*; riscad*; arranhad*; trincad*;
        rachad*; manchad*; nao funcion*; parou de; vazand*; queimou; queimad*; solto; soltou; descascad*; torta;
        torto
    """,
    "product_quality": """
        qualidade; produto bom; bom produto; otimo produto; produto otimo; produto excelent*; excelente produto;
        material; acabamento; resistent*; fragil; frageis; durav*; original; falsific*; produto lindo; lind*;
        bonit*; funciona; funcionando; perfeito; fino; fina; macio; macia; confortavel; produto muito bom;
        produto ruim; produto maravilh*; tecido
    """,
    "as_described": """
        conforme; de acordo; descri*; anunci*; igual a foto; igual ao; foto; imagem; especifica*; tamanho; medida*;
        numero; menor; maior; pequen*; grande; apertad*; serviu; cor
    """,
    "price": """
        preco*; valor*; barat*; caro; cara; carissim*; custo; promoc*; desconto*; abusiv*; vale a pena
    """,
    "service": """
        atendimento; atendente*; atend*; contato; retorno; resposta; respond*; suporte; sac; email; e mail;
        telefone; reclam*; comunica*; vendedor*; ajuda; educad*; atencios*; descaso; ninguem
    """,
    "returns": """
        devolv*; devolu*; troca; trocar; troquei; reembols*; estorn*; ressarc*; cancel*; dinheiro de volta;
        garantia; desisti
    """,
    "ordering": """
        site; nota fiscal; boleto; pagamento; cartao; fatura; cobranc*; parcel*; aplicativo; cadastro;
        comprar pela internet
    """,
    "availability": """
        estoque; indisponivel; esgotad*; disponiv*; sem estoque; acabou
    """,
    "brand_trust": """
        confi*; recomend*; indico; empresa seria; loja seria; sempre compro; cliente; golpe; fraude; enganad*;
        nunca mais; credibilidade; parabens; loja; respeito; procon; marca
    """,
    "sustainability": """
        sustentav*; sustentabilidade; meio ambiente; ambiental; ecolog*; reciclad*; reciclav*; plastico demais;
        trabalho escravo; etic*; organico; carbono; desperdicio
    """,
}
