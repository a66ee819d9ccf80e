"""A PostgreSQL server: its programs, its cluster, and the services' roles."""
