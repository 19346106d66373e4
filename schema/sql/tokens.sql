-- Tokens of programs, how often a caller asked lately, and what lets a long audit log be searched.

CREATE TABLE public.api_tokens (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    user_id uuid NOT NULL,
    token_hash text NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_api_tokens PRIMARY KEY (id),
    CONSTRAINT ck_api_tokens_role CHECK (role IN ('viewer', 'operator', 'admin')),
    CONSTRAINT uq_api_tokens_name UNIQUE (name),
    CONSTRAINT uq_api_tokens_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_api_tokens_user_id_users FOREIGN KEY(user_id) REFERENCES public.users (id) ON DELETE CASCADE
);
CREATE INDEX ix_api_tokens_user_id ON public.api_tokens (user_id);

-- Tokens from a sign-in that are older than this are no good.
ALTER TABLE public.users ADD COLUMN tokens_valid_from timestamptz DEFAULT 'epoch' NOT NULL;

-- One row for each caller in its current minute. What a crash loses of it, nobody misses.
CREATE UNLOGGED TABLE public.rate_limits (
    caller text NOT NULL,
    hits integer NOT NULL,
    ends_at timestamptz NOT NULL,
    CONSTRAINT pk_rate_limits PRIMARY KEY (caller)
) WITH (fillfactor = 50);
CREATE INDEX ix_rate_limits_ends_at ON public.rate_limits (ends_at);

-- Every filter of the log has its index, newest last. A text that is longer than a tsvector takes is cut, for the log
-- must be able to hold whatever is saved.
ALTER TABLE public.audit_log ADD COLUMN words tsvector GENERATED ALWAYS AS (
    to_tsvector('simple', left(label || ' ' || request_id || ' ' || before::text || ' ' || after::text, 100000))
) STORED NOT NULL;
DROP INDEX public.ix_audit_log_at, public.ix_audit_log_thing;
CREATE INDEX ix_audit_log_at ON public.audit_log (at, id);
CREATE INDEX ix_audit_log_thing ON public.audit_log (thing_id, at, id);
CREATE INDEX ix_audit_log_username ON public.audit_log (username, at, id);
CREATE INDEX ix_audit_log_kind ON public.audit_log (kind, at, id);
CREATE INDEX ix_audit_log_action ON public.audit_log (action, at, id);
CREATE INDEX ix_audit_log_words ON public.audit_log USING gin (words);
