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

-- The versions that were champions, by the last revision of the deployment in which they were: the members of ensembles.
create table past_champions (
    model text not null,
    model_version integer not null,
    digest text not null,
    revision integer not null,
    deployed_at timestamptz,  -- when the last deployment of the version was published
    primary key (model, model_version)
);

-- The versions that a rollback withdrew: no members of ensembles, unless they became the champion again since then.
create table rolled_back (
    model text not null,
    model_version integer not null,
    rolled_back_at timestamptz not null,
    primary key (model, model_version)
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
    labelled bigint not null default 0,  -- `labels.counted` when it was claimed
    training_set_digest text,  -- null until a worker has read the rows
    function_digest text,  -- of the code of the function that trained; null where a library did
    detail text,
    digest text,
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    unique (model, trigger_id)
);
-- At most one training in flight per model. A registration trains nothing: it is queued beside other runs of its model.
create unique index runs_in_flight on runs (model)
    where state in ('queued', 'running') and trigger ->> 'kind' <> 'registration';
-- A model may have several runs in the queue, and at most one of them runs.
create unique index runs_running on runs (model) where state = 'running';
create index runs_latest on runs (model, created_at desc);

-- Triggers that are handled when a run of their model ends, or when its spec arrives. `slot` is empty for a training,
-- `harm` for a drop of the performance that waits for labels, and the id of the trigger for a registration: each
-- registration is deferred for itself, and of the others the last one.
create table deferred (
    model text not null,
    slot text not null,
    trigger jsonb not null,
    deferred_at timestamptz not null default clock_timestamp(),
    primary key (model, slot)
);

-- The trials of a run's search: another attempt of the run takes those that have ended, and does not repeat them.
create table trials (
    run_id text not null references runs (id),
    number integer not null,
    training_set_digest text not null,  -- an attempt on other rows can't use the values
    params jsonb not null,
    origin text not null,
    starts integer not null default 1,  -- a trial that was started and never ended took its worker with it
    state text not null default 'running' check (state in ('running', 'complete', 'pruned', 'failed')),
    split_values jsonb not null default '[]',  -- one for each inner split; null where the metric is not defined
    seconds double precision not null default 0,
    detail text not null default '',
    primary key (run_id, number)
);

-- The labelled rows of a model that events have reported so far. A row may be counted twice, as published and as served:
-- the worker corrects `trainings.labelled`.
create table labels (
    model text primary key,
    counted bigint not null default 0
);

-- The last training of a model, and what is known from comparisons of models.
create table trainings (
    model text primary key,
    spec_revision integer not null,  -- of the run: a removal deletes what earlier revisions made known
    first_rows bigint not null,  -- labelled rows of the first training
    rows bigint not null,  -- labelled rows of the last training
    fitted bigint not null,  -- rows that the last model was fitted to
    until timestamptz not null,  -- the newest event time of the last training
    labelled bigint not null,  -- `labels.counted` at that time
    growth double precision not null default 0.1,  -- the share by which `fitted` must grow
    gain double precision,  -- the loss that the last fits saved in the mean, null where it is not known
    loss double precision,  -- of the last model in its evaluation, null where it is not known
    window_start timestamptz,  -- null before a confirmed change
    leader text not null,
    unconfirmed_since timestamptz,  -- a suspected change that did not move the window, null without one
    unconfirmed_rows bigint,  -- the labelled rows in all with which it is looked into again
    basis text not null  -- digest of the parts of the spec that growth, gain and scores depend on
);

-- The losses of strategies on chunks of rows that they had not seen.
create table strategy_scores (
    model text not null,
    chunk integer not null,  -- from 0, in order of time: chunks of rows with one event time have the same `since`
    since timestamptz not null,
    until timestamptz not null,
    strategy text not null,
    rows integer not null,
    mean double precision not null,
    quarters double precision[] not null,
    primary key (model, chunk, strategy)
);
