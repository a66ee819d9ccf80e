-- Access tokens. The secret itself is nowhere: who has the digest can't authenticate.
create table tokens (
    token_id text primary key,
    name text not null,
    roles text[] not null,
    secret_digest text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz
);
