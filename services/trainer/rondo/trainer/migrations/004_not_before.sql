-- When a run that was handed back may be claimed again; others are claimed meanwhile.
alter table runs add column not_before timestamptz not null default clock_timestamp();
