-- The roles of `python -m rondo.embedded.postgres.roles` for psql, with the passwords read from files. PostgreSQL's
-- image runs it when it makes the database; running it again changes nothing but the passwords
-- (docs/runbooks/secrets.md).
\set ON_ERROR_STOP on
\connect rondo
\set ingestion `cat /run/rondo/ingestion`
\set trainer `cat /run/rondo/trainer`
\set registry `cat /run/rondo/registry`
\set monitor `cat /run/rondo/monitor`
REVOKE ALL ON DATABASE rondo FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
DO $$ BEGIN CREATE ROLE ingestion; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE ingestion LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'ingestion';
GRANT CONNECT, TEMPORARY ON DATABASE rondo TO ingestion;
CREATE SCHEMA IF NOT EXISTS ingestion AUTHORIZATION ingestion;
REVOKE ALL ON SCHEMA ingestion FROM PUBLIC;
ALTER ROLE ingestion IN DATABASE rondo SET search_path = ingestion;
DO $$ BEGIN CREATE ROLE trainer; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE trainer LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'trainer';
GRANT CONNECT, TEMPORARY ON DATABASE rondo TO trainer;
CREATE SCHEMA IF NOT EXISTS trainer AUTHORIZATION trainer;
REVOKE ALL ON SCHEMA trainer FROM PUBLIC;
ALTER ROLE trainer IN DATABASE rondo SET search_path = trainer;
DO $$ BEGIN CREATE ROLE registry; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE registry LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'registry';
GRANT CONNECT, TEMPORARY ON DATABASE rondo TO registry;
CREATE SCHEMA IF NOT EXISTS registry AUTHORIZATION registry;
REVOKE ALL ON SCHEMA registry FROM PUBLIC;
ALTER ROLE registry IN DATABASE rondo SET search_path = registry;
DO $$ BEGIN CREATE ROLE monitor; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE monitor LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'monitor';
GRANT CONNECT, TEMPORARY ON DATABASE rondo TO monitor;
CREATE SCHEMA IF NOT EXISTS monitor AUTHORIZATION monitor;
REVOKE ALL ON SCHEMA monitor FROM PUBLIC;
ALTER ROLE monitor IN DATABASE rondo SET search_path = monitor;
