-- Rollouts as JSON, with their evidence. A model has one active rollout at most.
create table rollouts (
    number bigint generated always as identity,
    model text not null references models,
    candidate integer not null,
    began timestamptz not null,
    state text not null,
    rollout text not null,
    primary key (model, candidate, began)
);
create unique index one_active_rollout on rollouts (model)
    where state in ('running', 'paused', 'asking', 'watching');
