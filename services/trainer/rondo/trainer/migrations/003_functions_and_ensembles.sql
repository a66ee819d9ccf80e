-- The code of the function that trained; null where a library did.
alter table runs add column function_digest text;

-- The versions that were champions, by the last revision of the deployment in which they were: the members of ensembles.
create table past_champions (
    model text not null,
    model_version integer not null,
    digest text not null,
    revision integer not null,
    primary key (model, model_version)
);
insert into past_champions (model, model_version, digest, revision)
    select model, model_version, digest, revision from champions where model_version is not null;
