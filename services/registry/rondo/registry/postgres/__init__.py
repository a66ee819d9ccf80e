"""The registry's tables in PostgreSQL: the unit of work, the queries, and one module per table."""
