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
