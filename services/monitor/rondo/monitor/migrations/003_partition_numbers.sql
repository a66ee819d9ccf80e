-- State is kept by partition number. A model's number is a hash of its name, so it is null here for what was saved
-- without one, and set as soon as the count of numbers is known: see `saved_count`. Positions are by partition already.
-- `generation` is that of the last checkpoint which has saved the model.
alter table model_states add column number integer, add column generation bigint not null default 0;
update model_states set generation = (select generation from generations);
alter table model_states alter column generation drop default;
drop table generations;
-- One row for each number. Every checkpoint of a number increments its generation, and a process whose generation is
-- stale is fenced off.
create table generations (
    number integer primary key,
    generation bigint not null default 0
);
alter table model_states add foreign key (number) references generations;
create index model_states_by_number on model_states (number);
-- Which replica works on which numbers, as it said itself at `seen_at`. Nothing is decided by it.
create table replicas (
    replica text primary key,
    numbers integer[] not null,
    seen_at timestamptz not null default now()
);
