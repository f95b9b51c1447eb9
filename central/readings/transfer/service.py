"""The service that watches the folder of imports."""

import signal
import threading

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from central.platform.clock import get_clock
from central.platform.database import make_engine
from central.platform.errors import BadInput
from central.platform.settings import Settings
from central.readings.transfer.folder import WatchedFolder

_log = structlog.get_logger(__name__)


def main(settings: Settings) -> None:
    """Look at the folder every `import_poll_s` until SIGTERM or SIGINT; a database that is away is waited for."""
    if settings.import_folder is None:
        raise BadInput("import_folder", "No folder is watched: set ROZVODNA_IMPORT_FOLDER to an absolute path.")
    if not settings.import_folder.is_dir():
        raise BadInput(
            "import_folder", f"There is no folder {settings.import_folder}; make it, or correct the setting."
        )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = make_engine(settings.database_url, name="rozvodna-imports", pool_size=1)
    folder = WatchedFolder(engine, get_clock(), settings.import_folder)
    _log.info("imports started", folder=str(settings.import_folder))
    while not stop.wait(settings.import_poll_s):
        try:
            folder.look()
        except (DBAPIError, psycopg.Error) as error:  # COPY goes past SQLAlchemy and raises the driver's own
            _log.warning("the database is away or refused", error=str(getattr(error, "orig", error)))
        except OSError as error:
            _log.warning("the folder is away or refused", error=str(error))
    engine.dispose()
    _log.info("imports stopped")
