-- State is kept by partition number. What was saved without one can't be divided here, for the number is a hash of the
-- model's name: it is discarded, and the logs are read from their beginning. Events keep their ids.
truncate positions, model_states, segments, live_rows;
drop table generations;
-- One row for each number. Every checkpoint of a number increments its generation, and a process whose generation is
-- stale is fenced off.
create table generations (
    number integer primary key,
    generation bigint not null default 0
);
-- `generation` is that of the last checkpoint which has saved the model.
alter table model_states
    add column number integer not null references generations,
    add column generation bigint not null;
create index model_states_by_number on model_states (number);
-- Which replica works on which numbers, as it said itself at `seen_at`. Nothing is decided by it.
create table replicas (
    replica text primary key,
    numbers integer[] not null,
    seen_at timestamptz not null default now()
);
