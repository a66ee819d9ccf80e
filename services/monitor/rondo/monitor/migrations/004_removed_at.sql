-- When the model was removed last; null where no release that kept this has removed it.
alter table specs add column removed_at timestamptz;
