-- The newest comparisons of served with published values by model, as `SkewMeasured` events. `number` counts them.
create table skews (
    model text primary key,
    number bigint not null,
    batches json not null
);
