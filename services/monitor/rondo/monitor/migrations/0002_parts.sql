-- What waits is kept in parts, each written once by the save whose turn it carries; `alive` says which rows of a
-- model's parts, in their order, still wait. Before this, every save wrote all of it anew.
create table waiting (
    model text not null,
    kind text not null,
    alive bytea not null,
    primary key (model, kind)
);
create table parts (
    model text not null,
    kind text not null,
    turn bigint not null,
    content bytea not null,
    primary key (model, kind, turn)
);
-- Compressed already.
alter table parts alter column content set storage external;
insert into parts
select model, kind, 0, content from watches
cross join lateral (values ('predictions', predictions), ('outcomes', outcomes), ('held', held)) as was (kind, content);
insert into waiting select model, kind, '' from parts;
alter table watches drop column predictions, drop column outcomes, drop column held;
-- What was seen had passed at once; see watermark.py and coverage.py.
update watches set figures = figures || jsonb_build_object(
    'judged', -9223372036854775808,
    'watermark', jsonb_build_object(
        'newest', figures -> 'watermark', 'passed', figures -> 'watermark',
        'made', -9223372036854775808, 'ahead', '[]'::jsonb
    ),
    'known', jsonb_build_object(
        'newest', figures -> 'known', 'passed', figures -> 'known',
        'made', -9223372036854775808, 'ahead', '[]'::jsonb
    ),
    'coverage', jsonb_build_object(
        'rows', 0, 'left_out', 0, 'blocks', 0,
        'alarm', jsonb_build_object('over', 0, 'under', 0, 'since', null, 'alert_id', null)
    )
);
