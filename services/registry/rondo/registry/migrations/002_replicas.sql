-- The last word of each replica on each version that it has, had or refused: what /replicas shows, and what decides
-- whether a refusal is the version's fault or the replica's.
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
