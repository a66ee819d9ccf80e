-- Scoring jobs. `request` is the event that asked for one, `rows` is set when its parts are known, and `scores` is the
-- version of its table.
create table scoring_jobs (
    job text primary key,
    request jsonb not null,
    state text not null check (state in ('queued', 'running', 'done', 'failed')),
    requested_at timestamptz not null default now(),
    started_at timestamptz,
    ended_at timestamptz,
    rows bigint,
    scores jsonb,
    code text not null default '',
    reason text not null default ''
);
create index scoring_jobs_latest on scoring_jobs (requested_at desc);

-- The parts of a job: slices of row groups. `size` and `digest` are those of the file with their scores.
create table scoring_parts (
    job text not null references scoring_jobs,
    number integer not null,
    file text not null,
    row_group integer not null,
    skipped bigint not null,
    rows bigint not null,
    first_row bigint not null,
    refused bigint,
    size bigint,
    digest text,
    done_at timestamptz,
    primary key (job, number)
);

-- Every answer before `next_offset` is in a file.
create table scores_read (
    partition integer primary key,
    next_offset bigint not null
);
