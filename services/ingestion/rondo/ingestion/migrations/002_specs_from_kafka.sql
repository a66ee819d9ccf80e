-- Specs are read from their compacted topic at every start.
drop table specs;
