-- The reason of the last published skip of each kind of trigger that comes all the time, such as new labels and
-- findings, with the version that it is about; none after a run was queued. Two kinds in turn each have their own.
create table skips (
    model text not null,
    kind text not null,
    reason text not null,
    primary key (model, kind)
);
insert into skips (model, kind, reason)
select model, split_part(skipped, ' ', 1), split_part(skipped, ' ', 2) from labels where skipped is not null;
alter table labels drop column skipped;
