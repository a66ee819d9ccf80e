-- When the deployment was heard of last: it tells whether the candidate that was trained last may still be promoted.
alter table champions add column changed_at timestamptz not null default clock_timestamp();
