-- One row per name that ever had a spec: its counters. A removed model keeps its row: `spec_revision` then counts the
-- removal, and no row of `specs` has that revision. So its versions and audit log stay, and its counters go on.
create table models (
    name text primary key,
    spec_revision integer not null,
    revision integer not null default 0,
    last_version integer not null default 0
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

-- `champion` repeats the primary route, so that the history of champions is read without the routes.
create table deployments (
    model text not null references models,
    revision integer not null,
    routes text not null,
    champion integer,
    decided_by text not null,
    reason text not null,
    at timestamptz not null,
    primary key (model, revision)
);

-- A chain is a model's name, or `access.tokens`: no model's name has a dot. The head of each chain is kept apart.
create table audit (
    chain text not null,
    number integer not null,
    at timestamptz not null,
    action text not null,
    decided_by text not null,
    evidence text not null,
    previous_hash text not null,
    hash text not null,
    primary key (chain, number)
);
create table audit_heads (
    chain text primary key,
    length integer not null,
    hash text not null
);

-- Trainings, and decisions not to train: the latter have an id of their own, and no start.
create table runs (
    run_id text primary key,
    model text not null,
    state text not null,
    trigger text not null,
    reason text,
    started_at timestamptz,
    finished_at timestamptz,
    detail text not null default '',
    updated_at timestamptz not null default clock_timestamp()
);
create index runs_by_model on runs (model, updated_at desc, run_id desc);
create index runs_by_time on runs (updated_at desc, run_id desc);

create table schedules (
    model text not null references models,
    expression text not null,
    last_due timestamptz not null,
    primary key (model, expression)
);

-- The latest report of each replica on each version.
create table replicas (
    model text not null references models,
    replica text not null,
    model_version integer not null,
    digest text not null,
    revision integer not null,
    state text not null,
    detail text not null,
    at timestamptz not null,
    primary key (model, replica, model_version)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % is refused; correct a mistake by a new entry', tg_table_name, tg_op
        using errcode = 'insufficient_privilege';
end
$$;

create trigger specs_append_only before update or delete or truncate on specs
    for each statement execute function refuse_change();
create trigger deployments_append_only before update or delete or truncate on deployments
    for each statement execute function refuse_change();
create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function refuse_change();

-- Access tokens. The secret itself is stored nowhere: the digest authenticates nobody.
create table tokens (
    token_id text primary key,
    name text not null,
    roles text[] not null,
    secret_digest text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz
);
