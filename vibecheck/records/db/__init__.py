"""The database: connection, tables, migrations, transactions."""
