CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.feedback (
    prediction_id character varying(32) NOT NULL,
    n integer NOT NULL,
    label character varying NOT NULL,
    source character varying NOT NULL,
    given_by character varying,
    given_at timestamp with time zone NOT NULL
);
CREATE TABLE public.model_versions (
    version character varying NOT NULL,
    origin character varying NOT NULL,
    first_used_at timestamp with time zone NOT NULL
);
CREATE TABLE public.outbox (
    id bigint NOT NULL,
    kind character varying NOT NULL,
    prediction_id character varying(32) NOT NULL,
    payload json NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.outbox_id_seq OWNED BY public.outbox.id;
CREATE TABLE public.plays (
    prediction_id character varying(32) NOT NULL,
    n integer NOT NULL,
    playlist_id character varying NOT NULL,
    playlist_name character varying NOT NULL,
    mode character varying NOT NULL,
    again boolean NOT NULL,
    found_by character varying NOT NULL,
    suggested_at timestamp with time zone NOT NULL
);
CREATE TABLE public.predictions (
    id character varying(32) NOT NULL,
    made_at timestamp with time zone NOT NULL,
    source character varying NOT NULL,
    mood character varying NOT NULL,
    confidence double precision NOT NULL,
    model_version character varying NOT NULL,
    visitor character varying,
    p_angry double precision NOT NULL,
    p_disgust double precision NOT NULL,
    p_fear double precision NOT NULL,
    p_happy double precision NOT NULL,
    p_neutral double precision NOT NULL,
    p_sad double precision NOT NULL,
    p_surprise double precision NOT NULL,
    face_x double precision NOT NULL,
    face_y double precision NOT NULL,
    face_width double precision NOT NULL,
    face_height double precision NOT NULL,
    face_score double precision NOT NULL,
    light double precision NOT NULL,
    blur double precision NOT NULL,
    size double precision NOT NULL,
    yaw double precision NOT NULL,
    roll double precision NOT NULL,
    latency_ms double precision NOT NULL,
    landmarks json NOT NULL,
    audit boolean NOT NULL,
    picture_kept boolean NOT NULL
);
ALTER TABLE ONLY public.outbox ALTER COLUMN id SET DEFAULT nextval('public.outbox_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.feedback VALUES ('00000000000000000000000000000001', 1, 'happy', 'audit', '3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9', '2026-09-01 09:30:00+00');
INSERT INTO public.feedback VALUES ('00000000000000000000000000000002', 1, 'angry', 'audit', '3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9', '2026-09-01 09:30:00+00');
INSERT INTO public.feedback VALUES ('00000000000000000000000000000002', 2, 'fear', 'volunteered', '3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9', '2026-09-01 09:30:00+00');
INSERT INTO public.model_versions VALUES ('embedded-2', 'ships with VibeCheck', '2026-09-01 09:30:00+00');
INSERT INTO public.outbox VALUES (1, 'prediction', '00000000000000000000000000000001', '{"id": "00000000000000000000000000000001", "made_at": "2026-09-08T09:30:00+00:00", "source": "live", "mood": "happy", "confidence": 0.7, "probabilities": [0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05], "model_version": "embedded-2", "visitor": "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9", "face": {"x": 60.0, "y": 50.0, "width": 200.0, "height": 220.0, "landmarks": [[100, 120], [220, 120], [160, 170], [110, 220], [210, 220]], "score": 0.9}, "quality": {"light": 120.0, "blur": 300.0, "size": 220.0, "yaw": -4.5, "roll": 2.0}, "latency_ms": 12.5, "audit": true, "picture_kept": true}', '2026-09-08 09:30:00+00');
INSERT INTO public.outbox VALUES (2, 'prediction', '00000000000000000000000000000002', '{"id": "00000000000000000000000000000002", "made_at": "2026-09-15T09:30:00+00:00", "source": "live", "mood": "sad", "confidence": 0.7, "probabilities": [0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05], "model_version": "embedded-2", "visitor": "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9", "face": {"x": 60.0, "y": 50.0, "width": 200.0, "height": 220.0, "landmarks": [[100, 120], [220, 120], [160, 170], [110, 220], [210, 220]], "score": 0.9}, "quality": {"light": 120.0, "blur": 300.0, "size": 220.0, "yaw": -4.5, "roll": 2.0}, "latency_ms": 12.5, "audit": true, "picture_kept": false}', '2026-09-15 09:30:00+00');
INSERT INTO public.outbox VALUES (3, 'prediction', '00000000000000000000000000000003', '{"id": "00000000000000000000000000000003", "made_at": "2026-09-22T09:30:00+00:00", "source": "live", "mood": "neutral", "confidence": 0.7, "probabilities": [0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05], "model_version": "embedded-2", "visitor": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "face": {"x": 60.0, "y": 50.0, "width": 200.0, "height": 220.0, "landmarks": [[100, 120], [220, 120], [160, 170], [110, 220], [210, 220]], "score": 0.9}, "quality": {"light": 120.0, "blur": 300.0, "size": 220.0, "yaw": -4.5, "roll": 2.0}, "latency_ms": 12.5, "audit": false, "picture_kept": false}', '2026-09-22 09:30:00+00');
INSERT INTO public.plays VALUES ('00000000000000000000000000000001', 1, '37i9dQZF1DXdPec7aLTmlC', 'Happy Hits!', 'match', false, 'catalogue', '2026-09-01 09:30:00+00');
INSERT INTO public.predictions VALUES ('00000000000000000000000000000001', '2026-09-08 09:30:00+00', 'live', 'happy', 0.7, 'embedded-2', '3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9', 0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05, 60, 50, 200, 220, 0.9, 120, 300, 220, -4.5, 2, 12.5, '[[100.0, 120.0], [220.0, 120.0], [160.0, 170.0], [110.0, 220.0], [210.0, 220.0]]', true, true);
INSERT INTO public.predictions VALUES ('00000000000000000000000000000002', '2026-09-15 09:30:00+00', 'live', 'sad', 0.7, 'embedded-2', '3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9', 0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05, 60, 50, 200, 220, 0.9, 120, 300, 220, -4.5, 2, 12.5, '[[100.0, 120.0], [220.0, 120.0], [160.0, 170.0], [110.0, 220.0], [210.0, 220.0]]', true, false);
INSERT INTO public.predictions VALUES ('00000000000000000000000000000003', '2026-09-22 09:30:00+00', 'live', 'neutral', 0.7, 'embedded-2', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05, 60, 50, 200, 220, 0.9, 120, 300, 220, -4.5, 2, 12.5, '[[100.0, 120.0], [220.0, 120.0], [160.0, 170.0], [110.0, 220.0], [210.0, 220.0]]', false, false);
SELECT pg_catalog.setval('public.outbox_id_seq', 3, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT pk_feedback PRIMARY KEY (prediction_id, n);
ALTER TABLE ONLY public.model_versions
    ADD CONSTRAINT pk_model_versions PRIMARY KEY (version);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT pk_outbox PRIMARY KEY (id);
ALTER TABLE ONLY public.plays
    ADD CONSTRAINT pk_plays PRIMARY KEY (prediction_id, n);
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT pk_predictions PRIMARY KEY (id);
CREATE INDEX ix_outbox_prediction_id ON public.outbox USING btree (prediction_id);
CREATE INDEX ix_predictions_made_at ON public.predictions USING btree (made_at);
CREATE INDEX ix_predictions_visitor_made_at ON public.predictions USING btree (visitor, made_at);
ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT fk_feedback_prediction_id FOREIGN KEY (prediction_id) REFERENCES public.predictions(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.plays
    ADD CONSTRAINT fk_plays_prediction_id FOREIGN KEY (prediction_id) REFERENCES public.predictions(id) ON DELETE CASCADE;
