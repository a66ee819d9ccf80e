-- `json`, not `jsonb`: events may carry text that jsonb refuses, such as an escaped NUL.
create table specs (
    model text primary key,
    revision integer not null,
    spec json,  -- null where this revision removed the model
    removed integer not null default 0  -- the last revision that removed the model, 0 if none did
);
create table profiles (
    digest text primary key,
    profile json not null
);
create table champions (
    model text primary key,
    revision integer not null,
    version integer not null,
    digest text not null
);
-- One row. Every checkpoint increments the generation; a process whose generation is stale is fenced off.
create table generations (
    id integer primary key default 1 check (id = 1),
    generation bigint not null
);
insert into generations (generation) values (0);
create table positions (
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    primary key (topic, partition)
);
create table model_states (
    model text primary key,
    figures jsonb not null,
    windows bytea not null,
    evidence bytea not null
);
-- Append-only segments of a model's tables, each written once, by the checkpoint of its generation.
create table segments (
    model text not null,
    name text not null,
    generation bigint not null,
    content bytea not null,
    primary key (model, name, generation)
);
-- Compressed already.
alter table segments alter column content set storage external;
-- Which rows of a table's segments, in their order, are live.
create table live_rows (
    model text not null,
    name text not null,
    live bytea not null,
    primary key (model, name)
);
-- Alerts, written with the checkpoint that opened or resolved them. `raised_at` and `resolved_at` are event times; the
-- other times are of this server's clock. `messages` counts those that said that the alert is open.
create table alerts (
    alert_id text primary key,
    model text not null,
    version integer,
    kind text not null,
    severity text not null,
    title text not null,
    detail text not null,
    raised_at timestamptz not null,
    opened_at timestamptz not null default now(),
    resolved_at timestamptz,
    closed_at timestamptz,
    resolution text not null default '',
    messages integer not null default 0,
    last_message_at timestamptz,
    end_sent boolean not null default false
);
create index alerts_unsettled on alerts (opened_at) where closed_at is null or (messages > 0 and not end_sent);
-- `kind` is null where all alerts of the model are silenced.
create table silences (
    silence_id bigint generated always as identity primary key,
    model text not null,
    kind text,
    reason text not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    until timestamptz not null,
    ended_at timestamptz,
    ended_by text
);
-- A call for each message and receiver. `receiver` has a digest: the address itself may hold a secret.
create table deliveries (
    id bigint generated always as identity primary key,
    message_id text not null,
    receiver text not null,
    content jsonb not null,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    next_at timestamptz not null default now(),
    last_answer text not null default '',
    written_at timestamptz not null default now(),
    unique (message_id, receiver)
);
create index deliveries_pending on deliveries (next_at) where state = 'pending';
-- The newest windows of each model, for people: nothing is decided by them. `id` is the order in which they closed.
create table closed_windows (
    id bigint generated always as identity primary key,
    model text not null,
    version integer not null,
    start timestamptz not null,
    content json not null,
    unique (model, version, start)
);
create index closed_windows_by_model on closed_windows (model, id desc);
