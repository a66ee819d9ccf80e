-- The versions that a rollback withdrew: no members of ensembles, unless they became the champion again since then.
create table rolled_back (
    model text not null,
    model_version integer not null,
    rolled_back_at timestamptz not null,
    primary key (model, model_version)
);

-- When the last deployment of the version was published; null for those before this release.
alter table past_champions add column deployed_at timestamptz;
