-- Registrations are deferred each for itself, because none replaces another: `registration` is the id of the trigger.
-- It is empty in the one row of a model that is about its training.
alter table deferred add column registration text not null default '';
alter table deferred add column deferred_at timestamptz not null default clock_timestamp();
update deferred set registration = trigger ->> 'id' where trigger ->> 'kind' = 'registration';
alter table deferred drop constraint deferred_pkey;
alter table deferred add primary key (model, registration);
