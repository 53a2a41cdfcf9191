"""What is done to a data folder while no server runs on it: migrating, and looking whether it opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from api.roots.adapters import SystemClock, data_folder
from infra import migrations
from infra.database import Database, address
from infra.database_schema import migrate as migrate_database
from infra.store_chdb import ChdbStore
from schemas.settings import Settings

_VERSION = "SELECT version() AS version"


def migrate(settings: Settings) -> list[str]:
    """Brings the databases of the data folder to this version's tables; a line for each migration applied now.

    Safe to run again. Raises StartupError when the folder is in use, damaged, or of a newer Evalstream.
    """
    folder = data_folder(settings.data_dir)
    names = {migration.number: migration.name for migration in migrations.load()}
    with closing(ChdbStore.open(folder / "store", settings)) as store:
        applied = [f"telemetry: {number:04}_{names[number]}" for number in migrations.migrate(store)]
    with closing(Database(address(settings), SystemClock())) as database:
        return applied + [f"people: {revision}" for revision in migrate_database(database)]


def check_engine(settings: Settings) -> str:
    """Opens the embedded engine on the data folder (on a temporary one when there is none yet) and says what it found.

    Changes nothing that is kept. Raises StartupError when it does not open.
    """
    with (
        _store_folder(settings.data_dir) as (folder, kept),
        closing(ChdbStore.open(folder, settings)) as store,
    ):
        version = store.query(_VERSION)["version"][0].as_py()
        return f"ClickHouse {version}, " + ("the data folder opens" if kept else "no data yet")


@contextmanager
def _store_folder(data: Path) -> Iterator[tuple[Path, bool]]:
    if (data / "store").is_dir():
        yield data / "store", True
        return
    with TemporaryDirectory(prefix="evalstream-") as temporary:
        yield Path(temporary), False
