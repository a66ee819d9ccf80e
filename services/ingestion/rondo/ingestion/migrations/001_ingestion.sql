-- What became of batches; `content` is the digest of the file, `contract` of the specs that it was judged by.
create table batches (
    dataset text not null,
    batch_id text not null,
    content text not null,
    contract text not null,
    status text not null check (status in ('accepted', 'rejected')),
    report jsonb not null,
    decided_at timestamptz not null default now(),
    primary key (dataset, batch_id)
);
create index batches_latest on batches (dataset, decided_at desc);

create table specs (
    model text primary key,
    revision integer not null,
    spec text not null
);

-- Everything before `next_offset` is in its Delta table. Only where to begin: each table knows what it has.
create table landed (
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    primary key (topic, partition)
);

-- The last version of a model's table of outcomes that was announced.
create table announced (
    model text primary key,
    version bigint not null
);
