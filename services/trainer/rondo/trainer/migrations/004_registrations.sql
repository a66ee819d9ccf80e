-- A registration trains nothing: it is queued beside other runs of its model, and runs after or before them.
drop index runs_in_flight;
create unique index runs_in_flight on runs (model)
    where state in ('queued', 'running') and trigger ->> 'kind' <> 'registration';
-- A model may have several runs in the queue, and at most one of them runs.
create unique index runs_running on runs (model) where state = 'running';
