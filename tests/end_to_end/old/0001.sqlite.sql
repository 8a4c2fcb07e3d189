BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE feedback (
	prediction_id VARCHAR(32) NOT NULL, 
	n INTEGER NOT NULL, 
	label VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	given_by VARCHAR, 
	given_at DATETIME NOT NULL, 
	CONSTRAINT pk_feedback PRIMARY KEY (prediction_id, n), 
	CONSTRAINT fk_feedback_prediction_id FOREIGN KEY(prediction_id) REFERENCES predictions (id) ON DELETE CASCADE
);
INSERT INTO "feedback" VALUES('00000000000000000000000000000001',1,'happy','audit','3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9','2026-09-01 09:30:00.000000');
INSERT INTO "feedback" VALUES('00000000000000000000000000000002',1,'angry','audit','3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9','2026-09-01 09:30:00.000000');
INSERT INTO "feedback" VALUES('00000000000000000000000000000002',2,'fear','volunteered','3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9','2026-09-01 09:30:00.000000');
CREATE TABLE model_versions (
	version VARCHAR NOT NULL, 
	origin VARCHAR NOT NULL, 
	first_used_at DATETIME NOT NULL, 
	CONSTRAINT pk_model_versions PRIMARY KEY (version)
);
INSERT INTO "model_versions" VALUES('embedded-2','ships with VibeCheck','2026-09-01 09:30:00.000000');
CREATE TABLE outbox (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind VARCHAR NOT NULL, 
	prediction_id VARCHAR(32) NOT NULL, 
	payload JSON NOT NULL, 
	created_at DATETIME NOT NULL
);
INSERT INTO "outbox" VALUES(1,'prediction','00000000000000000000000000000001','{"id": "00000000000000000000000000000001", "made_at": "2026-09-08T09:30:00+00:00", "source": "live", "mood": "happy", "confidence": 0.7, "probabilities": [0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05], "model_version": "embedded-2", "visitor": "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9", "face": {"x": 60.0, "y": 50.0, "width": 200.0, "height": 220.0, "landmarks": [[100, 120], [220, 120], [160, 170], [110, 220], [210, 220]], "score": 0.9}, "quality": {"light": 120.0, "blur": 300.0, "size": 220.0, "yaw": -4.5, "roll": 2.0}, "latency_ms": 12.5, "audit": true, "picture_kept": true}','2026-09-08 09:30:00.000000');
INSERT INTO "outbox" VALUES(2,'prediction','00000000000000000000000000000002','{"id": "00000000000000000000000000000002", "made_at": "2026-09-15T09:30:00+00:00", "source": "live", "mood": "sad", "confidence": 0.7, "probabilities": [0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05], "model_version": "embedded-2", "visitor": "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9", "face": {"x": 60.0, "y": 50.0, "width": 200.0, "height": 220.0, "landmarks": [[100, 120], [220, 120], [160, 170], [110, 220], [210, 220]], "score": 0.9}, "quality": {"light": 120.0, "blur": 300.0, "size": 220.0, "yaw": -4.5, "roll": 2.0}, "latency_ms": 12.5, "audit": true, "picture_kept": false}','2026-09-15 09:30:00.000000');
INSERT INTO "outbox" VALUES(3,'prediction','00000000000000000000000000000003','{"id": "00000000000000000000000000000003", "made_at": "2026-09-22T09:30:00+00:00", "source": "live", "mood": "neutral", "confidence": 0.7, "probabilities": [0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05], "model_version": "embedded-2", "visitor": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "face": {"x": 60.0, "y": 50.0, "width": 200.0, "height": 220.0, "landmarks": [[100, 120], [220, 120], [160, 170], [110, 220], [210, 220]], "score": 0.9}, "quality": {"light": 120.0, "blur": 300.0, "size": 220.0, "yaw": -4.5, "roll": 2.0}, "latency_ms": 12.5, "audit": false, "picture_kept": false}','2026-09-22 09:30:00.000000');
CREATE TABLE plays (
	prediction_id VARCHAR(32) NOT NULL, 
	n INTEGER NOT NULL, 
	playlist_id VARCHAR NOT NULL, 
	playlist_name VARCHAR NOT NULL, 
	mode VARCHAR NOT NULL, 
	again BOOLEAN NOT NULL, 
	found_by VARCHAR NOT NULL, 
	suggested_at DATETIME NOT NULL, 
	CONSTRAINT pk_plays PRIMARY KEY (prediction_id, n), 
	CONSTRAINT fk_plays_prediction_id FOREIGN KEY(prediction_id) REFERENCES predictions (id) ON DELETE CASCADE
);
INSERT INTO "plays" VALUES('00000000000000000000000000000001',1,'37i9dQZF1DXdPec7aLTmlC','Happy Hits!','match',0,'catalogue','2026-09-01 09:30:00.000000');
CREATE TABLE predictions (
	id VARCHAR(32) NOT NULL, 
	made_at DATETIME NOT NULL, 
	source VARCHAR NOT NULL, 
	mood VARCHAR NOT NULL, 
	confidence DOUBLE NOT NULL, 
	model_version VARCHAR NOT NULL, 
	visitor VARCHAR, 
	p_angry DOUBLE NOT NULL, 
	p_disgust DOUBLE NOT NULL, 
	p_fear DOUBLE NOT NULL, 
	p_happy DOUBLE NOT NULL, 
	p_neutral DOUBLE NOT NULL, 
	p_sad DOUBLE NOT NULL, 
	p_surprise DOUBLE NOT NULL, 
	face_x DOUBLE NOT NULL, 
	face_y DOUBLE NOT NULL, 
	face_width DOUBLE NOT NULL, 
	face_height DOUBLE NOT NULL, 
	face_score DOUBLE NOT NULL, 
	light DOUBLE NOT NULL, 
	blur DOUBLE NOT NULL, 
	size DOUBLE NOT NULL, 
	yaw DOUBLE NOT NULL, 
	roll DOUBLE NOT NULL, 
	latency_ms DOUBLE NOT NULL, 
	landmarks JSON NOT NULL, 
	audit BOOLEAN NOT NULL, 
	picture_kept BOOLEAN NOT NULL, 
	CONSTRAINT pk_predictions PRIMARY KEY (id)
);
INSERT INTO "predictions" VALUES('00000000000000000000000000000001','2026-09-08 09:30:00.000000','live','happy',0.7,'embedded-2','3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9',0.05,0.05,0.05,0.7,0.05,0.05,0.05,60.0,50.0,200.0,220.0,0.9,120.0,300.0,220.0,-4.5,2.0,12.5,'[[100.0, 120.0], [220.0, 120.0], [160.0, 170.0], [110.0, 220.0], [210.0, 220.0]]',1,1);
INSERT INTO "predictions" VALUES('00000000000000000000000000000002','2026-09-15 09:30:00.000000','live','sad',0.7,'embedded-2','3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9',0.05,0.05,0.05,0.7,0.05,0.05,0.05,60.0,50.0,200.0,220.0,0.9,120.0,300.0,220.0,-4.5,2.0,12.5,'[[100.0, 120.0], [220.0, 120.0], [160.0, 170.0], [110.0, 220.0], [210.0, 220.0]]',1,0);
INSERT INTO "predictions" VALUES('00000000000000000000000000000003','2026-09-22 09:30:00.000000','live','neutral',0.7,'embedded-2','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',0.05,0.05,0.05,0.7,0.05,0.05,0.05,60.0,50.0,200.0,220.0,0.9,120.0,300.0,220.0,-4.5,2.0,12.5,'[[100.0, 120.0], [220.0, 120.0], [160.0, 170.0], [110.0, 220.0], [210.0, 220.0]]',0,0);
CREATE INDEX ix_predictions_made_at ON predictions (made_at);
CREATE INDEX ix_predictions_visitor_made_at ON predictions (visitor, made_at);
CREATE INDEX ix_outbox_prediction_id ON outbox (prediction_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',3);
COMMIT;
