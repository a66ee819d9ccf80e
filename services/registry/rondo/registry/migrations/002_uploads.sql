-- The models that people registered: each keeps its bytes in the artifact store. A refused registration is taken out.
create table uploads (
    trigger_id text primary key,
    artifact text not null
);

create index uploads_by_artifact on uploads (artifact);
