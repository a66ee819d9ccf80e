-- The datasets from which features of a spec are joined, as SpecApplied has them. A run has those of its spec.
alter table specs add column sources jsonb not null default '[]';
alter table runs add column sources jsonb not null default '[]';
