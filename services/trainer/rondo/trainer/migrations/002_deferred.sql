-- The data that came while a run was in flight: considered again when that run ends.
create table deferred (
    model text primary key,
    trigger jsonb not null
);
