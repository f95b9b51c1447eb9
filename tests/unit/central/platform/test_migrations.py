from alembic.script import ScriptDirectory

from central.platform.database import psycopg_url, sqlalchemy_url
from central.platform.migrations import configuration


def test_the_revisions_are_one_line_from_the_platform_up() -> None:
    revisions = list(ScriptDirectory.from_config(configuration()).walk_revisions())
    assert [each.revision for each in revisions][-2:] == ["0002", "0001"]
    assert [each.down_revision for each in revisions] == [each.revision for each in revisions[1:]] + [None]


def test_both_forms_of_the_database_address_keep_the_password() -> None:
    url = "postgresql://anna:p%40ss@host:5433/base"
    assert sqlalchemy_url(url) == "postgresql+psycopg://anna:p%40ss@host:5433/base"
    assert psycopg_url(sqlalchemy_url(url)) == url
