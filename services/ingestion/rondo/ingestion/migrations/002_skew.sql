-- Accepted batches that were not yet compared with what was served.
create table uncompared (
    dataset text not null,
    batch_id text not null,
    accepted_at timestamptz not null default now(),
    primary key (dataset, batch_id)
);
