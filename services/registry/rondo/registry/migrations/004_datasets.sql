-- One row per name that was ever declared. A removed dataset keeps its row: `spec_revision` then counts the removal, and
-- no row of `dataset_specs` has that revision. So its specs stay, and so do the types that its stored rows have.
create table datasets (
    name text primary key,
    spec_revision integer not null
);

-- Text, not jsonb, as in `specs`: jsonb would sort the columns.
create table dataset_specs (
    dataset text not null references datasets,
    revision integer not null,
    digest text not null,
    spec text not null,
    applied_at timestamptz not null,
    applied_by text not null,
    primary key (dataset, revision)
);

create trigger dataset_specs_append_only before update or delete or truncate on dataset_specs
    for each statement execute function refuse_change();
