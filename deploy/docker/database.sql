-- The database of the platform. The image's own would have the encoding of the server's locale, and the services refuse
-- any but UTF-8. C fits every encoding, and sorts alike on every machine.
\set ON_ERROR_STOP on
CREATE DATABASE rondo ENCODING 'UTF8' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
