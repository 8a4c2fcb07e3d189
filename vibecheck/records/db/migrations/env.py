"""Alembic's environment: runs the migrations on the connection and in the transaction of `connect.migrate`.

To change a table, change `tables.py` and add a file to `versions/` that makes the same change.
`tests/records/db/test_migrations.py` fails on any difference.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite alters a table by copying it; Alembic writes later migrations that way for both databases.
    render_as_batch=True,
)
context.run_migrations()
