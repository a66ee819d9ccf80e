-- The kind of trigger and the reason of the last published skip of what comes all the time, such as new labels; null
-- before any, and after a run was queued.
alter table labels add column skipped text;
