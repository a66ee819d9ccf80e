"""PostgreSQL: the pool, transactions with inbox and outbox, migrations."""
