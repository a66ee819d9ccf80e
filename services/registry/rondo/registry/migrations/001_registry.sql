-- One row per model: its counters, and the head of its audit chain. Every decision moves it, so it is what writers
-- take turns on.
create table models (
    name text primary key,
    spec_revision integer not null,
    revision integer not null default 0,
    last_version integer not null default 0,
    audit_length integer not null default 0,
    audit_head text not null
);

-- Text, not jsonb: jsonb would sort the features, and their order is the signature of the model.
create table specs (
    model text not null references models,
    revision integer not null,
    digest text not null,
    spec text not null,
    applied_at timestamptz not null,
    applied_by text not null,
    primary key (model, revision)
);
create index specs_by_digest on specs (model, digest);

create table versions (
    model text not null references models,
    number integer not null,
    run_id text not null,
    digest text not null,
    state text not null,
    passed boolean not null,
    features text not null,
    gates text not null,
    trained text not null,
    registered_at timestamptz not null,
    primary key (model, number),
    unique (model, run_id)
);

create table deployments (
    model text not null references models,
    revision integer not null,
    routes text not null,
    decided_by text not null,
    reason text not null,
    at timestamptz not null,
    primary key (model, revision)
);

create table audit (
    model text not null references models,
    number integer not null,
    at timestamptz not null,
    action text not null,
    decided_by text not null,
    evidence text not null,
    previous_hash text not null,
    hash text not null,
    primary key (model, number)
);

create table runs (
    run_id text primary key,
    model text not null,
    state text not null,
    trigger text not null,
    started_at timestamptz,
    finished_at timestamptz,
    detail text not null default '',
    recorded_at timestamptz not null default now()
);
create index runs_by_model on runs (model, recorded_at desc);

create table schedules (
    model text not null references models,
    expression text not null,
    last_due timestamptz not null,
    primary key (model, expression)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % is refused; a mistake is corrected by a new entry', tg_table_name, tg_op
        using errcode = 'insufficient_privilege';
end
$$;

create trigger specs_append_only before update or delete or truncate on specs
    for each statement execute function refuse_change();
create trigger deployments_append_only before update or delete or truncate on deployments
    for each statement execute function refuse_change();
create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function refuse_change();
