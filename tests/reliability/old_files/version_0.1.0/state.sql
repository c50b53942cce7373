PRAGMA auto_vacuum = 0;
PRAGMA application_id = 0;
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
INSERT INTO "attempt" VALUES(1,'',12,'retry',1.79548973617612123493e+09,7.8717230007896432653e-03,'PlexNotFound','No Plex item plays /data/stash/Films/Islands.mp4. Plex may not have scanned it yet; if it has, check path_map with `scenesync doctor`.','','[]','[]',1.79548974188877224923e+09);
INSERT INTO "attempt" VALUES(2,'',1,'synced',1.79548973548725295064e+09,1.02881259300011151935e+00,'','','path','["1001"]','["summary","originallyAvailableAt","studio","actor","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(3,'',3,'synced',1.79548973551503181461e+09,1.01030360299955646041e+00,'','','path','["1003"]','["summary","originallyAvailableAt","studio","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(4,'',2,'synced',1.79548973551384544373e+09,1.06903342799887468572e+00,'','','path','["1002"]','["summary","originallyAvailableAt","studio","actor","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(5,'',4,'synced',1.7954897355160479546e+09,1.08566231499935383908e+00,'','','path','["1004"]','["summary","originallyAvailableAt","studio","actor","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(6,'',6,'synced',1.79548973577407956119e+09,1.00690530400061106774e+00,'','','path','["1006"]','["summary","originallyAvailableAt","studio","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(7,'',5,'synced',1.79548973573916506767e+09,1.12423097400096594356e+00,'','','path','["1005"]','["summary","originallyAvailableAt","studio","actor","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(8,'',7,'synced',1.79548973581151676175e+09,1.11979266599882976152e+00,'','','path','["1007"]','["summary","originallyAvailableAt","studio","actor","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(9,'',8,'synced',1.79548973589122366906e+09,1.28292726300060166977e+00,'','','path','["1008"]','["summary","originallyAvailableAt","studio","actor","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(10,'',9,'synced',1.7954897361405360699e+09,1.09765356599928054492e+00,'','','path','["1009"]','["summary","originallyAvailableAt","studio","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(11,'',11,'synced',1.79548973616328406337e+09,1.09939827100060938391e+00,'','','path','["1011"]','["summary","originallyAvailableAt","studio","actor","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(12,'',10,'synced',1.79548973615321183199e+09,1.13804773099946032743e+00,'','','path','["1010"]','["summary","originallyAvailableAt","studio","actor","genre","collection","thumb","art"]',NULL);
INSERT INTO "attempt" VALUES(13,'',12,'retry',1.79548975070303606991e+09,1.00054165000983630307e-01,'PlexNotFound','No Plex item plays /data/stash/Films/Islands.mp4. Plex may not have scanned it yet; if it has, check path_map with `scenesync doctor`.','','[]','[]',1.79548979902218770981e+09);
INSERT INTO "attempt" VALUES(14,'',11,'dead',1.79548975070204401018e+09,2.81823277000512462109e-01,'PlexPermanentError','PUT /library/sections/1/all: Plex answered 400 Bad Request','','[]','[]',NULL);
INSERT INTO "attempt" VALUES(15,'',7,'synced',1.79548977621026897432e+09,1.25516367999807698652e-01,'','','path','["1007"]','["title","titleSort"]',NULL);
INSERT INTO "attempt" VALUES(16,'',2,'synced',1.79548977621235203742e+09,1.5412422800000058487e-01,'','','path','["1002"]','["title","titleSort"]',NULL);
CREATE TABLE baseline (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                field TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                written TEXT NOT NULL,
                shown TEXT,
                replaced TEXT,
                PRIMARY KEY (server_id, rating_key, field)
            );
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','summary',1,'"The story of Harbour at dawn."','"The story of Harbour at dawn."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','originallyAvailableAt',1,'"2020-05-01"','"2020-05-01"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','studio',1,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','actor',1,'["Ann Example"]','["Ann Example"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','genre',1,'["Music","Outdoor"]','["Music","Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','collection',1,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','summary',3,'"The story of A week in Bergen."','"The story of A week in Bergen."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','originallyAvailableAt',3,'"2020-05-03"','"2020-05-03"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','studio',3,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','genre',3,'["Music","Outdoor"]','["Music","Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','collection',3,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','summary',2,'"The story of The night train."','"The story of The night train."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','originallyAvailableAt',2,'"2020-05-02"','"2020-05-02"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','studio',2,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','actor',2,'["Ann Example","Bo Sample"]','["Ann Example","Bo Sample"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','genre',2,'["Outdoor"]','["Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','collection',2,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','summary',4,'"The story of Concert in the park."','"The story of Concert in the park."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','originallyAvailableAt',4,'"2020-05-04"','"2020-05-04"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','studio',4,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','actor',4,'["Ann Example"]','["Ann Example"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','genre',4,'["Outdoor"]','["Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','collection',4,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','summary',6,'"The story of Two rivers."','"The story of Two rivers."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','originallyAvailableAt',6,'"2020-05-06"','"2020-05-06"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','studio',6,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','genre',6,'["Outdoor"]','["Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','collection',6,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','summary',5,'"The story of Lighthouse."','"The story of Lighthouse."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','originallyAvailableAt',5,'"2020-05-05"','"2020-05-05"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','studio',5,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','actor',5,'["Ann Example","Bo Sample"]','["Ann Example","Bo Sample"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','genre',5,'["Music","Outdoor"]','["Music","Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','collection',5,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','summary',7,'"The story of The long way home."','"The story of The long way home."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','originallyAvailableAt',7,'"2020-05-07"','"2020-05-07"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','studio',7,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','actor',7,'["Ann Example"]','["Ann Example"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','genre',7,'["Music","Outdoor"]','["Music","Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','collection',7,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','summary',8,'"The story of Market day."','"The story of Market day."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','originallyAvailableAt',8,'"2020-05-08"','"2020-05-08"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','studio',8,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','actor',8,'["Ann Example","Bo Sample"]','["Ann Example","Bo Sample"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','genre',8,'["Outdoor"]','["Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','collection',8,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','summary',9,'"The story of Glasshouse."','"The story of Glasshouse."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','originallyAvailableAt',9,'"2020-05-09"','"2020-05-09"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','studio',9,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','genre',9,'["Music","Outdoor"]','["Music","Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','collection',9,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','summary',11,'"The story of The clockmaker."','"The story of The clockmaker."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','originallyAvailableAt',11,'"2020-05-11"','"2020-05-11"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','studio',11,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','actor',11,'["Ann Example","Bo Sample"]','["Ann Example","Bo Sample"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','genre',11,'["Music","Outdoor"]','["Music","Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','collection',11,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','summary',10,'"The story of Northern summer."','"The story of Northern summer."',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','originallyAvailableAt',10,'"2020-05-10"','"2020-05-10"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','studio',10,'"North Pier"','"North Pier"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','actor',10,'["Ann Example"]','["Ann Example"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','genre',10,'["Outdoor"]','["Outdoor"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','collection',10,'["North Pier"]','["North Pier"]',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','title',11,'"The clockmaker, restored"',NULL,'"The clockmaker"');
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','titleSort',11,'"The clockmaker, restored"',NULL,'"The clockmaker"');
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','title',7,'"The long way home, restored"','"The long way home, restored"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','titleSort',7,'"The long way home, restored"','"The long way home, restored"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','title',2,'"The night train, first cut"','"The night train, first cut"',NULL);
INSERT INTO "baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','titleSort',2,'"The night train, first cut"','"The night train, first cut"',NULL);
CREATE TABLE fact (
                server_id TEXT NOT NULL,
                name TEXT NOT NULL,
                value TEXT NOT NULL,
                PRIMARY KEY (server_id, name)
            );
INSERT INTO "fact" VALUES('','plex client identifier','c8fcfff3-768b-4fea-a08e-ebf8f26db8c7');
CREATE TABLE image_baseline (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                field TEXT NOT NULL,
                scene_id BIGINT NOT NULL,
                sha1 TEXT NOT NULL,
                shown TEXT NOT NULL,
                etag TEXT NOT NULL,
                PRIMARY KEY (server_id, rating_key, field)
            );
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','thumb',2,'b820d2fcd5868890a3527c8a1c6416e923c9450d','/library/metadata/1002/thumb/1795489735','"4b8924aff799cb75537fc1f46535a909"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','thumb',1,'b820d2fcd5868890a3527c8a1c6416e923c9450d','/library/metadata/1001/thumb/1795489735','"4b8924aff799cb75537fc1f46535a909"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','thumb',4,'3d6b5539548fd17afe91fa8d5b8664dcdd5d45bc','/library/metadata/1004/thumb/1795489735','"063ea7f163f7bca4e695fe9a818de31f"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','thumb',3,'a63d154b9854a975bb2604405244093e455e2998','/library/metadata/1003/thumb/1795489735','"701457123b96efc8da3bbcca563cb127"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','art',2,'b820d2fcd5868890a3527c8a1c6416e923c9450d','/library/metadata/1002/art/1795489735','"4b8924aff799cb75537fc1f46535a909"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','art',1,'b820d2fcd5868890a3527c8a1c6416e923c9450d','/library/metadata/1001/art/1795489735','"4b8924aff799cb75537fc1f46535a909"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','art',4,'3d6b5539548fd17afe91fa8d5b8664dcdd5d45bc','/library/metadata/1004/art/1795489735','"063ea7f163f7bca4e695fe9a818de31f"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','art',3,'a63d154b9854a975bb2604405244093e455e2998','/library/metadata/1003/art/1795489735','"701457123b96efc8da3bbcca563cb127"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','thumb',5,'489cc74e06481ebfb011318280bbf8cf8d3ebc3e','/library/metadata/1005/thumb/1795489735','"b3f4b452c8caf33e345aef9736e69e43"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','thumb',6,'489cc74e06481ebfb011318280bbf8cf8d3ebc3e','/library/metadata/1006/thumb/1795489735','"b3f4b452c8caf33e345aef9736e69e43"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','thumb',7,'b8f6cc1f0ab865fd0fb921d99ee7cf7b0590ea62','/library/metadata/1007/thumb/1795489735','"0a90e6bfa24152dd225a32787244060c"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','thumb',8,'489cc74e06481ebfb011318280bbf8cf8d3ebc3e','/library/metadata/1008/thumb/1795489735','"b3f4b452c8caf33e345aef9736e69e43"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','art',6,'489cc74e06481ebfb011318280bbf8cf8d3ebc3e','/library/metadata/1006/art/1795489735','"b3f4b452c8caf33e345aef9736e69e43"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','art',5,'489cc74e06481ebfb011318280bbf8cf8d3ebc3e','/library/metadata/1005/art/1795489735','"b3f4b452c8caf33e345aef9736e69e43"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','art',7,'b8f6cc1f0ab865fd0fb921d99ee7cf7b0590ea62','/library/metadata/1007/art/1795489736','"0a90e6bfa24152dd225a32787244060c"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','art',8,'489cc74e06481ebfb011318280bbf8cf8d3ebc3e','/library/metadata/1008/art/1795489736','"b3f4b452c8caf33e345aef9736e69e43"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','thumb',9,'489cc74e06481ebfb011318280bbf8cf8d3ebc3e','/library/metadata/1009/thumb/1795489736','"b3f4b452c8caf33e345aef9736e69e43"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','thumb',10,'b820d2fcd5868890a3527c8a1c6416e923c9450d','/library/metadata/1010/thumb/1795489736','"4b8924aff799cb75537fc1f46535a909"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','thumb',11,'af947588d4a32ce20dafae58467ede84e01b6508','/library/metadata/1011/thumb/1795489736','"08116b35c0581a8459e5cabb7ae2e8bd"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','art',9,'489cc74e06481ebfb011318280bbf8cf8d3ebc3e','/library/metadata/1009/art/1795489736','"b3f4b452c8caf33e345aef9736e69e43"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','art',11,'af947588d4a32ce20dafae58467ede84e01b6508','/library/metadata/1011/art/1795489736','"08116b35c0581a8459e5cabb7ae2e8bd"');
INSERT INTO "image_baseline" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','art',10,'b820d2fcd5868890a3527c8a1c6416e923c9450d','/library/metadata/1010/art/1795489736','"4b8924aff799cb75537fc1f46535a909"');
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
            );
INSERT INTO "journal" VALUES(1,'5f0c51ab0000000000000000000000000001f1e5',1.79548973563118410105e+09,1,'1001','summary','""','"The story of Harbour at dawn."','sync','');
INSERT INTO "journal" VALUES(2,'5f0c51ab0000000000000000000000000001f1e5',1.79548973563118410105e+09,1,'1001','originallyAvailableAt','""','"2020-05-01"','sync','');
INSERT INTO "journal" VALUES(3,'5f0c51ab0000000000000000000000000001f1e5',1.79548973563118410105e+09,1,'1001','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(4,'5f0c51ab0000000000000000000000000001f1e5',1.79548973563118410105e+09,1,'1001','actor','[]','["Ann Example"]','sync','');
INSERT INTO "journal" VALUES(5,'5f0c51ab0000000000000000000000000001f1e5',1.79548973563118410105e+09,1,'1001','genre','[]','["Music","Outdoor"]','sync','');
INSERT INTO "journal" VALUES(6,'5f0c51ab0000000000000000000000000001f1e5',1.79548973563118410105e+09,1,'1001','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(7,'5f0c51ab0000000000000000000000000001f1e5',1.79548973570102906229e+09,3,'1003','summary','""','"The story of A week in Bergen."','sync','');
INSERT INTO "journal" VALUES(8,'5f0c51ab0000000000000000000000000001f1e5',1.79548973570102906229e+09,3,'1003','originallyAvailableAt','""','"2020-05-03"','sync','');
INSERT INTO "journal" VALUES(9,'5f0c51ab0000000000000000000000000001f1e5',1.79548973570102906229e+09,3,'1003','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(10,'5f0c51ab0000000000000000000000000001f1e5',1.79548973570102906229e+09,3,'1003','genre','[]','["Music","Outdoor"]','sync','');
INSERT INTO "journal" VALUES(11,'5f0c51ab0000000000000000000000000001f1e5',1.79548973570102906229e+09,3,'1003','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(12,'5f0c51ab0000000000000000000000000001f1e5',1.79548973576636266714e+09,2,'1002','summary','""','"The story of The night train."','sync','');
INSERT INTO "journal" VALUES(13,'5f0c51ab0000000000000000000000000001f1e5',1.79548973576636266714e+09,2,'1002','originallyAvailableAt','""','"2020-05-02"','sync','');
INSERT INTO "journal" VALUES(14,'5f0c51ab0000000000000000000000000001f1e5',1.79548973576636266714e+09,2,'1002','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(15,'5f0c51ab0000000000000000000000000001f1e5',1.79548973576636266714e+09,2,'1002','actor','[]','["Ann Example","Bo Sample"]','sync','');
INSERT INTO "journal" VALUES(16,'5f0c51ab0000000000000000000000000001f1e5',1.79548973576636266714e+09,2,'1002','genre','[]','["Outdoor"]','sync','');
INSERT INTO "journal" VALUES(17,'5f0c51ab0000000000000000000000000001f1e5',1.79548973576636266714e+09,2,'1002','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(18,'5f0c51ab0000000000000000000000000001f1e5',1.79548973579051589968e+09,4,'1004','summary','""','"The story of Concert in the park."','sync','');
INSERT INTO "journal" VALUES(19,'5f0c51ab0000000000000000000000000001f1e5',1.79548973579051589968e+09,4,'1004','originallyAvailableAt','""','"2020-05-04"','sync','');
INSERT INTO "journal" VALUES(20,'5f0c51ab0000000000000000000000000001f1e5',1.79548973579051589968e+09,4,'1004','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(21,'5f0c51ab0000000000000000000000000001f1e5',1.79548973579051589968e+09,4,'1004','actor','[]','["Ann Example"]','sync','');
INSERT INTO "journal" VALUES(22,'5f0c51ab0000000000000000000000000001f1e5',1.79548973579051589968e+09,4,'1004','genre','[]','["Outdoor"]','sync','');
INSERT INTO "journal" VALUES(23,'5f0c51ab0000000000000000000000000001f1e5',1.79548973579051589968e+09,4,'1004','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(24,'5f0c51ab0000000000000000000000000001f1e5',1.79548973610375785822e+09,6,'1006','summary','""','"The story of Two rivers."','sync','');
INSERT INTO "journal" VALUES(25,'5f0c51ab0000000000000000000000000001f1e5',1.79548973610375785822e+09,6,'1006','originallyAvailableAt','""','"2020-05-06"','sync','');
INSERT INTO "journal" VALUES(26,'5f0c51ab0000000000000000000000000001f1e5',1.79548973610375785822e+09,6,'1006','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(27,'5f0c51ab0000000000000000000000000001f1e5',1.79548973610375785822e+09,6,'1006','genre','[]','["Outdoor"]','sync','');
INSERT INTO "journal" VALUES(28,'5f0c51ab0000000000000000000000000001f1e5',1.79548973610375785822e+09,6,'1006','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(29,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361314916611e+09,5,'1005','summary','""','"The story of Lighthouse."','sync','');
INSERT INTO "journal" VALUES(30,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361314916611e+09,5,'1005','originallyAvailableAt','""','"2020-05-05"','sync','');
INSERT INTO "journal" VALUES(31,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361314916611e+09,5,'1005','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(32,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361314916611e+09,5,'1005','actor','[]','["Ann Example","Bo Sample"]','sync','');
INSERT INTO "journal" VALUES(33,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361314916611e+09,5,'1005','genre','[]','["Music","Outdoor"]','sync','');
INSERT INTO "journal" VALUES(34,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361314916611e+09,5,'1005','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(35,'5f0c51ab0000000000000000000000000001f1e5',1.79548973614943361285e+09,7,'1007','summary','""','"The story of The long way home."','sync','');
INSERT INTO "journal" VALUES(36,'5f0c51ab0000000000000000000000000001f1e5',1.79548973614943361285e+09,7,'1007','originallyAvailableAt','""','"2020-05-07"','sync','');
INSERT INTO "journal" VALUES(37,'5f0c51ab0000000000000000000000000001f1e5',1.79548973614943361285e+09,7,'1007','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(38,'5f0c51ab0000000000000000000000000001f1e5',1.79548973614943361285e+09,7,'1007','actor','[]','["Ann Example"]','sync','');
INSERT INTO "journal" VALUES(39,'5f0c51ab0000000000000000000000000001f1e5',1.79548973614943361285e+09,7,'1007','genre','[]','["Music","Outdoor"]','sync','');
INSERT INTO "journal" VALUES(40,'5f0c51ab0000000000000000000000000001f1e5',1.79548973614943361285e+09,7,'1007','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(41,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361592433453e+09,8,'1008','summary','""','"The story of Market day."','sync','');
INSERT INTO "journal" VALUES(42,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361592433453e+09,8,'1008','originallyAvailableAt','""','"2020-05-08"','sync','');
INSERT INTO "journal" VALUES(43,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361592433453e+09,8,'1008','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(44,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361592433453e+09,8,'1008','actor','[]','["Ann Example","Bo Sample"]','sync','');
INSERT INTO "journal" VALUES(45,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361592433453e+09,8,'1008','genre','[]','["Outdoor"]','sync','');
INSERT INTO "journal" VALUES(46,'5f0c51ab0000000000000000000000000001f1e5',1.7954897361592433453e+09,8,'1008','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(47,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624401521677e+09,9,'1009','summary','""','"The story of Glasshouse."','sync','');
INSERT INTO "journal" VALUES(48,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624401521677e+09,9,'1009','originallyAvailableAt','""','"2020-05-09"','sync','');
INSERT INTO "journal" VALUES(49,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624401521677e+09,9,'1009','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(50,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624401521677e+09,9,'1009','genre','[]','["Music","Outdoor"]','sync','');
INSERT INTO "journal" VALUES(51,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624401521677e+09,9,'1009','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(52,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624980497359e+09,11,'1011','summary','""','"The story of The clockmaker."','sync','');
INSERT INTO "journal" VALUES(53,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624980497359e+09,11,'1011','originallyAvailableAt','""','"2020-05-11"','sync','');
INSERT INTO "journal" VALUES(54,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624980497359e+09,11,'1011','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(55,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624980497359e+09,11,'1011','actor','[]','["Ann Example","Bo Sample"]','sync','');
INSERT INTO "journal" VALUES(56,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624980497359e+09,11,'1011','genre','[]','["Music","Outdoor"]','sync','');
INSERT INTO "journal" VALUES(57,'5f0c51ab0000000000000000000000000001f1e5',1.79548973624980497359e+09,11,'1011','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(58,'5f0c51ab0000000000000000000000000001f1e5',1.79548973626235294342e+09,10,'1010','summary','""','"The story of Northern summer."','sync','');
INSERT INTO "journal" VALUES(59,'5f0c51ab0000000000000000000000000001f1e5',1.79548973626235294342e+09,10,'1010','originallyAvailableAt','""','"2020-05-10"','sync','');
INSERT INTO "journal" VALUES(60,'5f0c51ab0000000000000000000000000001f1e5',1.79548973626235294342e+09,10,'1010','studio','""','"North Pier"','sync','');
INSERT INTO "journal" VALUES(61,'5f0c51ab0000000000000000000000000001f1e5',1.79548973626235294342e+09,10,'1010','actor','[]','["Ann Example"]','sync','');
INSERT INTO "journal" VALUES(62,'5f0c51ab0000000000000000000000000001f1e5',1.79548973626235294342e+09,10,'1010','genre','[]','["Outdoor"]','sync','');
INSERT INTO "journal" VALUES(63,'5f0c51ab0000000000000000000000000001f1e5',1.79548973626235294342e+09,10,'1010','collection','[]','["North Pier"]','sync','');
INSERT INTO "journal" VALUES(64,'5f0c51ab0000000000000000000000000001f1e5',1.7954897509194009304e+09,11,'1011','title','"The clockmaker"','"The clockmaker, restored"','sync','');
INSERT INTO "journal" VALUES(65,'5f0c51ab0000000000000000000000000001f1e5',1.7954897509194009304e+09,11,'1011','titleSort','"The clockmaker"','"The clockmaker, restored"','sync','');
INSERT INTO "journal" VALUES(66,'5f0c51ab0000000000000000000000000001f1e5',1.79548977625539708143e+09,7,'1007','title','"The long way home"','"The long way home, restored"','sync','');
INSERT INTO "journal" VALUES(67,'5f0c51ab0000000000000000000000000001f1e5',1.79548977625539708143e+09,7,'1007','titleSort','"The long way home"','"The long way home, restored"','sync','');
INSERT INTO "journal" VALUES(68,'5f0c51ab0000000000000000000000000001f1e5',1.795489776275434494e+09,2,'1002','title','"The night train"','"The night train, first cut"','sync','');
INSERT INTO "journal" VALUES(69,'5f0c51ab0000000000000000000000000001f1e5',1.795489776275434494e+09,2,'1002','titleSort','"The night train"','"The night train, first cut"','sync','');
CREATE TABLE outage (
                id INTEGER NOT NULL PRIMARY KEY,
                service TEXT NOT NULL,
                cause TEXT NOT NULL,
                began_at DOUBLE PRECISION NOT NULL,
                ended_at DOUBLE PRECISION,
                jobs_waiting BIGINT NOT NULL
            );
INSERT INTO "outage" VALUES(1,'plex','GET /identity: Plex cannot be reached (Connection refused); check plex_url if this stays',1.7954897640970053673e+09,1.79548977614311885834e+09,3);
INSERT INTO "outage" VALUES(2,'plex','GET /identity: Plex cannot be reached (Connection refused); check plex_url if this stays',1.79548978474379014973e+09,NULL,2);
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
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','/mnt/media/Films/Harbour at dawn.mp4','1','mnt/media/films/harbour at dawn.mp4','harbour at dawn.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','/mnt/media/Films/The night train.mp4','1','mnt/media/films/the night train.mp4','the night train.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','/mnt/media/Films/A week in Bergen.mp4','1','mnt/media/films/a week in bergen.mp4','a week in bergen.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','/mnt/media/Films/Concert in the park.mp4','1','mnt/media/films/concert in the park.mp4','concert in the park.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','/mnt/media/Films/Lighthouse.mp4','1','mnt/media/films/lighthouse.mp4','lighthouse.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','/mnt/media/Films/Two rivers.mp4','1','mnt/media/films/two rivers.mp4','two rivers.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','/mnt/media/Films/The long way home.mp4','1','mnt/media/films/the long way home.mp4','the long way home.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','/mnt/media/Films/Market day.mp4','1','mnt/media/films/market day.mp4','market day.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','/mnt/media/Films/Glasshouse.mp4','1','mnt/media/films/glasshouse.mp4','glasshouse.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','/mnt/media/Films/Northern summer.mp4','1','mnt/media/films/northern summer.mp4','northern summer.mp4',1000000,60000);
INSERT INTO "plex_file" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','/mnt/media/Films/The clockmaker.mp4','1','mnt/media/films/the clockmaker.mp4','the clockmaker.mp4',1000000,60000);
CREATE TABLE plex_item (
                server_id TEXT NOT NULL,
                rating_key TEXT NOT NULL,
                library_key TEXT NOT NULL,
                updated_at BIGINT NOT NULL,
                generation BIGINT NOT NULL,
                PRIMARY KEY (server_id, rating_key)
            );
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1001','1',1795489735,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1002','1',1795489735,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1003','1',1795489735,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1004','1',1795489735,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1005','1',1795489736,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1006','1',1795489736,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1007','1',1795489736,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1008','1',1795489736,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1009','1',1795489736,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1010','1',1795489736,1);
INSERT INTO "plex_item" VALUES('5f0c51ab0000000000000000000000000001f1e5','1011','1',1795489736,1);
CREATE TABLE plex_library (
                server_id TEXT NOT NULL,
                library_key TEXT NOT NULL,
                generation BIGINT NOT NULL,
                last_full_pass_at DOUBLE PRECISION,
                last_refresh_at DOUBLE PRECISION,
                PRIMARY KEY (server_id, library_key)
            );
INSERT INTO "plex_library" VALUES('5f0c51ab0000000000000000000000000001f1e5','1',1,1.79548973503734779358e+09,1.79548977611185693742e+09);
CREATE TABLE schema_version (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at DOUBLE PRECISION NOT NULL
);
INSERT INTO "schema_version" VALUES(1,'first tables',1.79548973474766945836e+09);
CREATE TABLE service_state (
                service TEXT NOT NULL PRIMARY KEY,
                circuit TEXT NOT NULL,
                failures BIGINT NOT NULL,
                opened_at DOUBLE PRECISION,
                reachability TEXT NOT NULL,
                since DOUBLE PRECISION,
                message TEXT NOT NULL
            );
INSERT INTO "service_state" VALUES('plex','closed',0,NULL,'down',1.79548978474379014973e+09,'GET /identity: Plex cannot be reached (Connection refused); check plex_url if this stays');
INSERT INTO "service_state" VALUES('stash','closed',0,NULL,'up',1.79548977619122886659e+09,'');
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
COMMIT;
PRAGMA user_version = 0;
PRAGMA journal_mode = wal;
