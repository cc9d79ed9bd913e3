"""A database driver that tells its password in every way an error can: plain, encoded, in a repr, in a cause."""

import base64
from urllib.parse import quote

from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.url import URL


class Connector:
    """What a driver calls a connection; its repr shows what it was made with."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def __repr__(self) -> str:
        return f"<Connector {self.url.render_as_string(hide_password=False)}>"


class Dialect(DefaultDialect):
    driver = "leaky"

    @classmethod
    def import_dbapi(cls) -> None:
        return None

    def connect(self, *arguments: object, **named: object) -> None:
        password = str(named.get("password"))
        encoded = base64.b64encode(password.encode()).decode()
        try:
            raise ConnectionError(f"{quote(password, safe='')} was refused for {password}")
        except ConnectionError as error:
            raise KeyError(f"sent {encoded} from {Connector(URL.create('leaky', password=password))!r}") from error
