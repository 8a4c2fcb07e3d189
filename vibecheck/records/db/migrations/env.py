"""What Alembic runs: the migrations, on the connection and in the transaction of `database.migrate`.

To change a table, change `tables.py` and write a new file in `versions/` that gets there from the one
before. `tests/records/db/test_migrations.py` says what is missing.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite alters a table by copying it; Alembic writes later migrations that way for both databases.
    render_as_batch=True,
)
context.run_migrations()
