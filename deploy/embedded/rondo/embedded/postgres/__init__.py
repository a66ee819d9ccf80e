"""A PostgreSQL server: its programs, its cluster, the services' roles."""
