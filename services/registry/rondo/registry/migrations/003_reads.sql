-- The champion of each deployment, so that what served is read without the routes; and runs of all models, by time.
alter table deployments add column champion integer;
alter table deployments disable trigger deployments_append_only;
update deployments set champion = (
    select (route ->> 'model_version')::integer from json_array_elements(routes::json) route
    where route ->> 'role' = 'champion' limit 1
);
alter table deployments enable trigger deployments_append_only;
create index runs_by_time on runs (recorded_at desc);
