"""Words that people take for passwords, without the digits and signs that they put around them, and rows of keys."""

from __future__ import annotations

from typing import Final

_WORDS: Final = """
password passwort passwords kennwort passwd password1 passw0rd parola parolachiave geheim geheimnis segreto
segretissimo secret topsecret
admin administrator administrador amministratore root superuser sysadmin system systemadmin sistema guest gast ospite user users
benutzer utente operator operatore bediener maschinenbediener techniker tecnico technician viewer supervisor manager master
welcome willkommen benvenuto benvenuti hallo hello ciao ciaociao hallohallo buongiorno gutentag letmein letmeinnow openup login
signin einloggen anmelden accesso entrare abcabc abcdef abcdefgh qwerty qwertz qwertyuiop qwertzuiop asdfgh asdfghjkl
yxcvbnm zxcvbnm qazwsx qazwsxedc adgjmptw iloveyou ichliebedich tiamo tiamoamore loveyou sunshine princess prinzessin
principessa monkey dragon drache football fussball calcio soccer baseball basketball superman batman starwars pokemon
michael daniel thomas andrea francesco alessandro giuseppe maria stefan andreas christian juventus inter milan bayern
fcbayern dortmund schalke ferrari porsche mercedes volkswagen lamborghini summer sommer estate winter inverno spring
fruehling primavera autumn herbst autunno january januar gennaio december dezember dicembre monday montag lunedi friday
freitag venerdi shadow killer hunter freedom freiheit liberta trustno computer internet server network netzwerk samsung
iphone android windows microsoft google default standard changeme changeit aendern cambiami test testtest testing tester
prova provaprova demo demodemo example beispiel esempio temp temporary nopassword keinpasswort nessuna blank empty
lineclear lineclearance line clearance linea camera kamera telecamera station stazione machine maschine macchina factory
fabrik fabbrica pharma pharmacy apotheke farmacia medicine medizin medicina production produktion produzione packaging
verpackung confezionamento quality qualitaet qualita raspberry jetson nvidia siemens simatic industrie industria
correcthorsebatterystaple opensesame sesamoeffneti sesamoeffnedich apritisesamo mustermann maxmustermann mariorossi johndoe
"""
COMMON: Final = frozenset(word * times for word in _WORDS.split() for times in (1, 2))

RUNS: Final = tuple(
    row * 3
    for row in (
        "1234567890", "0123456789", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "1q2w3e4r5t6y7u8i9o0p", "1q2w3e4r5t6z7u8i9o0p",
        "qazwsxedcrfvtgbyhnujmikolp", "147258369", "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    )
)  # fmt: skip
