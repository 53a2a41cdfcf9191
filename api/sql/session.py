"""Who asks, as far as the text of an answer may depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.sql.parse import Node
from api.sql.refusals import UnknownDatabase

SERVER = "evalstream"
"""What the functions answer that ask for the name of the machine."""
HOME = "default"
"""The engine's name of the database that holds the views; accepted from everybody."""
METADATA = ("system", "information_schema", "INFORMATION_SCHEMA")
"""The databases of metadata: virtual, the same for all projects but for the name of `HOME` in them."""

_HOST = "displayname hostname fqdn fullhostname"
_USER = "currentuser user current_user session_user authenticateduser authuser"
_DATABASE = "currentdatabase current_database database schema"


@dataclass(frozen=True, slots=True)
class Session:
    """`user` is what currentUser() answers, `database` what currentDatabase() answers and under which the views are listed.

    `default` and the project's name are accepted as the qualifier of a table, whatever `database` is.
    """

    project: str
    user: str = "default"
    database: str = HOME

    def __post_init__(self) -> None:
        self.check_database(self.database)

    @property
    def home(self) -> str:
        """The name under which the database of the views is shown."""
        return HOME if self.database in METADATA else self.database

    def check_database(self, name: str) -> None:
        """Raises UnknownDatabase."""
        if name not in (HOME, self.project, *METADATA):
            raise UnknownDatabase(f"there is no database {name[:100]}; there is {HOME}")

    def is_home(self, name: str) -> bool:
        """Whether the name stands for the database of the views."""
        return name in (HOME, self.project)

    def constants(self) -> Mapping[str, str]:
        """By function in lower case, what it answers: these facts of the server are replaced before the engine is asked."""
        answers = ((_HOST, SERVER), (_USER, self.user), (_DATABASE, self.database))
        return {name: answer for names, answer in answers for name in names.split()}


def constant(value: str, alias: str) -> Node:
    """The tree of a text with a name."""
    return {"type": "Literal", "value": {"field_type": "String", "value": value}, "alias": alias}


def quoted(value: str) -> str:
    """A text as a literal of SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
