create table specs (
    model text primary key,
    revision integer not null,
    spec jsonb not null
);
create table profiles (
    digest text primary key,
    profile jsonb not null,
    holdout_rows bigint not null
);
create table champions (
    model text primary key,
    revision integer not null,
    version integer not null,
    digest text not null
);
-- One row: how often the watching has saved. Whoever saves after somebody else is found out by it.
create table turns (
    id integer primary key default 1 check (id = 1),
    turn bigint not null
);
insert into turns (turn) values (0);
create table positions (
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    primary key (topic, partition)
);
create table watches (
    model text primary key,
    figures jsonb not null,
    windows bytea not null,
    predictions bytea not null,
    outcomes bytea not null,
    held bytea not null
);
-- A webhook call for each alert event and receiver. `receiver` is a digest: the address itself may hold a secret.
create table deliveries (
    id bigint generated always as identity primary key,
    event_id text not null,
    receiver text not null,
    alert jsonb not null,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    next_at timestamptz not null default now(),
    last_answer text not null default '',
    written_at timestamptz not null default now(),
    unique (event_id, receiver)
);
create index deliveries_pending on deliveries (next_at) where state = 'pending';
