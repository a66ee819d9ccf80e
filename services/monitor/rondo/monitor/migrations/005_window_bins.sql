-- The rows of a window by bin of each column: int64, compressed with zlib. `digest` is that of the profile which has the
-- bins. Both are null in windows that an earlier release has stored.
alter table closed_windows add column bins bytea, add column digest text;
-- Compressed already.
alter table closed_windows alter column bins set storage external;
