BEGIN TRANSACTION;
CREATE TABLE attempt (
                id INTEGER NOT NULL PRIMARY KEY,
                server_id TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                outcome TEXT NOT NULL,
                started_at DOUBLE PRECISION NOT NULL,
                duration_s DOUBLE PRECISION NOT NULL,
                error_type TEXT NOT NULL,
                message TEXT NOT NULL,
                rule TEXT NOT NULL,
                rating_keys TEXT NOT NULL,
                changed_fields TEXT NOT NULL,
                retry_at DOUBLE PRECISION
            );
INSERT INTO "attempt" VALUES(1,'',7,'synced',1700000001.0,0.2,'','','path','["101"]','["title"]',NULL);
CREATE TABLE automatic_run (
                id INTEGER NOT NULL PRIMARY KEY,
                run_key TEXT NOT NULL,
                cause TEXT NOT NULL,
                began_at DOUBLE PRECISION NOT NULL,
                reason TEXT NOT NULL,
                totals TEXT NOT NULL
            );
INSERT INTO "automatic_run" VALUES(1,'tag_3','tag 3 was deleted',1700000000.0,'it would empty 900 fields','{}');
CREATE TABLE automatic_run_scene (
                run_id BIGINT NOT NULL,
                scene_id BIGINT NOT NULL,
                PRIMARY KEY (run_id, scene_id),
                FOREIGN KEY (run_id) REFERENCES automatic_run (id) ON DELETE CASCADE
            );
INSERT INTO "automatic_run_scene" VALUES(1,7);
CREATE TABLE baseline (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                field TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                written TEXT NOT NULL,
                shown TEXT,
                replaced TEXT, locked BIGINT NOT NULL DEFAULT 1,
                PRIMARY KEY (server_id, rating_key, field)
            );
INSERT INTO "baseline" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88','101','title',7,'"Harbour at dawn"',NULL,NULL,1);
CREATE TABLE circuit (
                service TEXT NOT NULL PRIMARY KEY,
                state TEXT NOT NULL,
                failures BIGINT NOT NULL,
                successes BIGINT NOT NULL,
                opened_at DOUBLE PRECISION NOT NULL,
                generation BIGINT NOT NULL,
                probe TEXT NOT NULL,
                probe_expires_at DOUBLE PRECISION NOT NULL,
                revision BIGINT NOT NULL
            );
INSERT INTO "circuit" VALUES('plex','open',0,0,1700000060.0,3,'',0.0,4);
CREATE TABLE collection (
                server_id TEXT NOT NULL,
                library_key TEXT NOT NULL,
                title_key TEXT NOT NULL,
                title TEXT NOT NULL,
                standing TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                described TEXT NOT NULL,
                keeps_title BIGINT NOT NULL,
                may_be_empty BIGINT NOT NULL,
                PRIMARY KEY (server_id, library_key, title_key)
            );
INSERT INTO "collection" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88','1','north pier','North Pier','ours','301','',0,0);
CREATE TABLE collection_origin (
                server_id TEXT NOT NULL,
                library_key TEXT NOT NULL,
                kind TEXT NOT NULL,
                origin_id BIGINT NOT NULL,
                title_key TEXT NOT NULL,
                changed_at DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (server_id, library_key, kind, origin_id)
            );
INSERT INTO "collection_origin" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88','1','studio',4,'north pier',1700000000.0);
CREATE TABLE collection_place (
                server_id TEXT NOT NULL,
                library_key TEXT NOT NULL,
                group_id BIGINT NOT NULL,
                rating_key TEXT NOT NULL,
                place BIGINT NOT NULL,
                PRIMARY KEY (server_id, library_key, group_id, rating_key)
            );
INSERT INTO "collection_place" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88','1',5,'101',2);
CREATE TABLE fact (
                server_id TEXT NOT NULL,
                name TEXT NOT NULL,
                value TEXT NOT NULL,
                PRIMARY KEY (server_id, name)
            );
INSERT INTO "fact" VALUES('','cursor stash','2023-11-14T22:13:20Z');
CREATE TABLE hold (
                server_id TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                fingerprint TEXT NOT NULL,
                since DOUBLE PRECISION NOT NULL,
                run_id TEXT NOT NULL,
                PRIMARY KEY (server_id, scene_id)
            );
INSERT INTO "hold" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88',7,'f00d',1700004000.0,'20231114T231320-0a1b');
CREATE TABLE image_baseline (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                field TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                sha1 TEXT NOT NULL,
                shown TEXT NOT NULL,
                etag TEXT NOT NULL, source_sha1 TEXT NOT NULL DEFAULT '', fit TEXT NOT NULL DEFAULT 'none',
                PRIMARY KEY (server_id, rating_key, field)
            );
CREATE TABLE journal (
                id INTEGER NOT NULL PRIMARY KEY,
                server_id TEXT NOT NULL,
                at DOUBLE PRECISION NOT NULL,
                scene_id BIGINT NOT NULL,
                rating_key TEXT NOT NULL,
                field TEXT NOT NULL,
                before TEXT NOT NULL,
                after TEXT NOT NULL,
                cause TEXT NOT NULL,
                run_id TEXT NOT NULL
            , shown TEXT, lock_before TEXT, lock_after TEXT, file TEXT NOT NULL DEFAULT '');
INSERT INTO "journal" VALUES(1,'5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88',1700000001.5,7,'101','title','"harbour"','"Harbour at dawn"','sync','r1',NULL,NULL,NULL,'');
CREATE TABLE outage (
                id INTEGER NOT NULL PRIMARY KEY,
                service TEXT NOT NULL,
                cause TEXT NOT NULL,
                began_at DOUBLE PRECISION NOT NULL,
                ended_at DOUBLE PRECISION,
                jobs_waiting BIGINT NOT NULL
            , jobs_waiting_at_end BIGINT);
INSERT INTO "outage" VALUES(1,'plex','refused',1700000002.0,1700000060.0,3,5);
CREATE TABLE pause (
                service TEXT NOT NULL PRIMARY KEY,
                since DOUBLE PRECISION NOT NULL,
                error TEXT NOT NULL,
                message TEXT NOT NULL
            );
INSERT INTO "pause" VALUES('plex',1700000050.0,'PlexUnauthorized','check plex_token');
CREATE TABLE performer_photo (
                server_id TEXT NOT NULL,
                name_key TEXT NOT NULL,
                performer_id BIGINT NOT NULL,
                version TEXT NOT NULL,
                address TEXT NOT NULL,
                etag TEXT NOT NULL,
                shown TEXT NOT NULL,
                tries BIGINT NOT NULL,
                PRIMARY KEY (server_id, name_key)
            );
CREATE TABLE pin (
                server_id TEXT NOT NULL,
                scene_key TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                files TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                PRIMARY KEY (server_id, scene_key)
            );
CREATE TABLE plex_file (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                path TEXT NOT NULL,
                library_key TEXT NOT NULL,
                path_key TEXT NOT NULL,
                name_key TEXT NOT NULL,
                size_bytes BIGINT,
                duration_ms BIGINT,
                PRIMARY KEY (server_id, rating_key, path),
                FOREIGN KEY (server_id, rating_key) REFERENCES plex_item (server_id, rating_key) ON DELETE CASCADE
            );
INSERT INTO "plex_file" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88','101','/media/films/Harbour at dawn.mkv','1','media/films/harbour at dawn.mkv','harbour at dawn.mkv',4000,5000);
CREATE TABLE plex_item (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                library_key TEXT NOT NULL,
                updated_at BIGINT NOT NULL,
                generation BIGINT NOT NULL,
                PRIMARY KEY (server_id, rating_key)
            );
INSERT INTO "plex_item" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88','101','1',1700000000,1);
CREATE TABLE plex_library (
                server_id TEXT NOT NULL,
                library_key TEXT NOT NULL,
                generation BIGINT NOT NULL,
                last_full_pass_at DOUBLE PRECISION,
                last_refresh_at DOUBLE PRECISION, surplus BIGINT NOT NULL DEFAULT 0, seen_until BIGINT NOT NULL DEFAULT 0,
                PRIMARY KEY (server_id, library_key)
            );
INSERT INTO "plex_library" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88','1',1,1700000500.0,1700000500.0,2,1700000500);
CREATE TABLE proven (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                fingerprint TEXT NOT NULL,
                updated_at BIGINT NOT NULL,
                PRIMARY KEY (server_id, rating_key)
            );
INSERT INTO "proven" VALUES('5f0c51ab0000000000000000000000000001f1e5','1201',7,'a6b1',1700000400);
CREATE TABLE reconciliation (
                id INTEGER NOT NULL PRIMARY KEY,
                server_id TEXT NOT NULL,
                scope TEXT NOT NULL,
                cause TEXT NOT NULL,
                began_at DOUBLE PRECISION NOT NULL,
                ended_at DOUBLE PRECISION,
                poll_cursor TEXT NOT NULL,
                last_scene_id BIGINT NOT NULL,
                found TEXT NOT NULL
            );
INSERT INTO "reconciliation" VALUES(1,'machine-1','all','command',1700000000.0,1700000060.0,'{"at": "2023-11-14T22:13:20Z", "seen": {}}',7,'{}');
CREATE TABLE scene_state (
        server_id TEXT NOT NULL,
        scene_id BIGINT NOT NULL,
        state TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        title TEXT NOT NULL,
        path TEXT NOT NULL,
        detail TEXT NOT NULL,
        rule TEXT NOT NULL,
        rating_keys TEXT NOT NULL,
        folded TEXT NOT NULL,
        PRIMARY KEY (server_id, scene_id)
    );
INSERT INTO "scene_state" VALUES('5f0c1a7be2d94a6c8b13e7d2905f4ac6117d3b88',7,'in_sync',1700000000.0,'Journey 7','/data/films/Journey 7.mkv','','path','["7"]','journey 7 /data/films/journey 7.mkv');
CREATE TABLE scene_trace (
                scene_id BIGINT NOT NULL PRIMARY KEY,
                relations TEXT NOT NULL,
                files TEXT NOT NULL
            , updated_at TEXT NOT NULL DEFAULT '', fingerprint TEXT NOT NULL DEFAULT '', read_at DOUBLE PRECISION NOT NULL DEFAULT 0);
INSERT INTO "scene_trace" VALUES(7,'[["performer",2],["tag",3]]','[["/data/Harbour at dawn.mkv",4000,60.0]]','','',0.0);
INSERT INTO "scene_trace" VALUES(9,'[]','[["/data/stash/Pier.mp4", 900, 61.5]]','2026-11-23T15:58:40-05:00','fake-fingerprint',1700000003.5);
CREATE TABLE schema_version (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at DOUBLE PRECISION NOT NULL
);
INSERT INTO "schema_version" VALUES(1,'first tables',1700000000.0);
INSERT INTO "schema_version" VALUES(2,'circuits that processes share, jobs waiting at the end of an outage',1700001000.0);
INSERT INTO "schema_version" VALUES(3,'whose lock it is',1700002000.0);
INSERT INTO "schema_version" VALUES(4,'pins',1700003000.0);
INSERT INTO "schema_version" VALUES(5,'runs that nobody asked for',1700000000.0);
INSERT INTO "schema_version" VALUES(6,'what pictures were made of',1700006000.0);
INSERT INTO "schema_version" VALUES(7,'what undo needs',1700004000.0);
INSERT INTO "schema_version" VALUES(8,'what scenes showed',1700000008.0);
INSERT INTO "schema_version" VALUES(9,'pauses, and since when a service is known',1700000000.0);
INSERT INTO "schema_version" VALUES(10,'photos of performers',1700010000.0);
INSERT INTO "schema_version" VALUES(11,'collections',1700011000.0);
INSERT INTO "schema_version" VALUES(12,'which version of a scene was read',1700000000.0);
INSERT INTO "schema_version" VALUES(13,'reconciliations',1700000000.0);
INSERT INTO "schema_version" VALUES(14,'proven items, and what is known of listings',1700000000.0);
INSERT INTO "schema_version" VALUES(15,'where scenes stand',1700000000.0);
INSERT INTO "schema_version" VALUES(16,'journal by run',1700000000.0);
CREATE TABLE service_state (
                service TEXT NOT NULL PRIMARY KEY,
                reachability TEXT NOT NULL,
                since DOUBLE PRECISION,
                message TEXT NOT NULL
            , known_since DOUBLE PRECISION);
INSERT INTO "service_state" VALUES('plex','up',1700000060.0,'',1700000002.0);
CREATE TABLE shown_entity (
                entity TEXT NOT NULL,
                entity_id BIGINT NOT NULL,
                scene_id BIGINT NOT NULL,
                PRIMARY KEY (entity, entity_id, scene_id)
            ) WITHOUT ROWID
            ;
INSERT INTO "shown_entity" VALUES('performer',2,7);
INSERT INTO "shown_entity" VALUES('tag',3,7);
CREATE INDEX plex_item_by_library ON plex_item (server_id, library_key, updated_at);
CREATE INDEX plex_file_by_path ON plex_file (path_key, server_id);
CREATE INDEX plex_file_by_name ON plex_file (name_key, server_id);
CREATE INDEX baseline_by_scene ON baseline (scene_id, server_id);
CREATE INDEX image_baseline_by_scene ON image_baseline (scene_id, server_id);
CREATE INDEX journal_by_scene ON journal (scene_id, id);
CREATE INDEX journal_by_time ON journal (at);
CREATE INDEX attempt_by_scene ON attempt (scene_id, id);
CREATE INDEX attempt_by_time ON attempt (started_at);
CREATE UNIQUE INDEX outage_open ON outage (service) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX automatic_run_gathering ON automatic_run (run_key) WHERE reason = '';
CREATE INDEX journal_by_item ON journal (rating_key, id);
CREATE INDEX collection_origin_by_title ON collection_origin (server_id, library_key, title_key);
CREATE INDEX proven_by_scene ON proven (scene_id, server_id);
CREATE INDEX scene_state_by_state ON scene_state (server_id, state, scene_id);
CREATE INDEX journal_by_run ON journal (run_id, id, scene_id);
COMMIT;
