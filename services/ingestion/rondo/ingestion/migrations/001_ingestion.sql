-- The result of each batch. `content` is the digest of the file, `contract` that of the specs it was checked by,
-- `headline` the report in short: it names the digest of the full report.
create table batches (
    dataset text not null,
    batch_id text not null,
    content text not null,
    contract text not null,
    status text not null check (status in ('accepted', 'rejected')),
    headline jsonb not null,
    decided_at timestamptz not null default now(),
    primary key (dataset, batch_id)
);
create index batches_latest on batches (dataset, decided_at desc);

-- Every row before `next_offset` is in its Delta table. A start reads from here; each table knows what it holds.
create table landed (
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    primary key (topic, partition)
);

-- The last version of a model's outcomes table that was announced.
create table announced (
    model text primary key,
    version bigint not null
);
