-- Digest, dataset and spec are null where the latest revision removed the model.
create table specs (
    model text primary key,
    revision integer not null,
    digest text,
    dataset text,
    spec text,  -- canonical JSON as it was digested: jsonb would not keep the order of the features
    removed_revision integer not null default 0  -- of the last removal: runs of lower revisions are another model's
);
create index specs_by_dataset on specs (dataset);

-- The latest batch of each dataset, for a spec that arrives after its data.
create table batches (
    dataset text primary key,
    batch_id text not null,
    event_time_to timestamptz not null
);

create table champions (
    model text primary key,
    revision integer not null,
    model_version integer,  -- null where nothing should serve
    digest text,
    changed_at timestamptz not null default clock_timestamp()  -- a later candidate may still be promoted
);

create table runs (
    id text primary key,
    model text not null,
    trigger_id text not null,
    trigger jsonb not null,
    spec_digest text not null,
    spec text not null,
    spec_revision integer not null,  -- the revision in force when it was queued
    traceparent text,
    state text not null default 'queued' check (state in ('queued', 'running', 'trained', 'failed', 'skipped')),
    attempts integer not null default 0,
    not_before timestamptz not null default clock_timestamp(),  -- a run that was handed back pauses until then
    worker text,
    lease_until timestamptz,
    training_set_digest text,  -- null until a worker has read the rows
    detail text,
    digest text,
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    unique (model, trigger_id)
);
-- At most one run in flight per model.
create unique index runs_in_flight on runs (model) where state in ('queued', 'running');
create index runs_latest on runs (model, created_at desc);

-- One trigger per model that is handled when its run in flight ends, or when its spec arrives.
create table deferred (
    model text primary key,
    trigger jsonb not null
);
