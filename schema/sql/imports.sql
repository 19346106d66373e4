-- Files that operators bring in, and numbers that rest before somebody else gets them.

CREATE TABLE public.imports (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    kind text NOT NULL,
    target_id uuid,
    file_name text NOT NULL,
    username text NOT NULL,
    request_id text DEFAULT '' NOT NULL,
    language text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    state text NOT NULL,
    header jsonb DEFAULT '[]' NOT NULL,
    has_header boolean DEFAULT true NOT NULL,
    columns jsonb DEFAULT '{}' NOT NULL,
    valid_from timestamptz,
    progress integer DEFAULT 0 NOT NULL,
    total integer DEFAULT 0 NOT NULL,
    heartbeat timestamptz DEFAULT now() NOT NULL,
    counts jsonb DEFAULT '{}' NOT NULL,
    error text DEFAULT '' NOT NULL,
    applied_at timestamptz,
    undone_at timestamptz,
    CONSTRAINT pk_imports PRIMARY KEY (id),
    CONSTRAINT ck_imports_state CHECK
        (state IN ('mapping', 'reading', 'ready', 'applying', 'applied', 'undoing', 'undone', 'failed'))
);
CREATE INDEX ix_imports_created_at ON public.imports (created_at);

-- What is only needed until an import is applied need not survive a crash: a file can be brought in again.
CREATE UNLOGGED TABLE public.import_files (
    import_id uuid NOT NULL,
    part integer NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT pk_import_files PRIMARY KEY (import_id, part),
    CONSTRAINT fk_import_files_import_id_imports FOREIGN KEY (import_id) REFERENCES public.imports (id)
        ON DELETE CASCADE
);

-- The lines of a file as they were understood. Of a line that was refused, what is wrong with it.
-- (No foreign key: it would be asked for at every one of some 300 000 lines.)
CREATE UNLOGGED TABLE public.import_dids (
    import_id uuid NOT NULL,
    line integer NOT NULL,
    errors jsonb,
    number text,
    provider_id uuid,
    gateway_id uuid,
    status text,
    description text,
    customer_id uuid,
    destination text,
    CONSTRAINT pk_import_dids PRIMARY KEY (import_id, line)
);

CREATE UNLOGGED TABLE public.import_tariffs (
    import_id uuid NOT NULL,
    line integer NOT NULL,
    errors jsonb,
    prefix text,
    description text,
    cost_per_minute numeric(12, 6),
    price_per_minute numeric(12, 6),
    minimum_seconds integer,
    increment_seconds integer,
    connect_fee numeric(12, 6),
    valid_from timestamptz,
    CONSTRAINT pk_import_tariffs PRIMARY KEY (import_id, line)
);

-- What an import did, to undo it: the version that it left behind, and the values before; NULL: the thing is new.
CREATE TABLE public.import_changes (
    import_id uuid NOT NULL,
    thing_id uuid NOT NULL,
    version integer NOT NULL,
    before jsonb
);
CREATE INDEX ix_import_changes_import_id ON public.import_changes (import_id);

-- Until when a number rests that somebody had.
ALTER TABLE public.dids ADD COLUMN quarantine_until timestamptz;
ALTER TABLE public.dids ADD CONSTRAINT ck_dids_quarantine_until
    CHECK ((status = 'quarantine') = (quarantine_until IS NOT NULL)) NOT VALID;
UPDATE public.dids SET quarantine_until = now() + interval '30 days' WHERE status = 'quarantine';
ALTER TABLE public.dids VALIDATE CONSTRAINT ck_dids_quarantine_until;
CREATE INDEX ix_dids_quarantine_until ON public.dids (quarantine_until) WHERE quarantine_until IS NOT NULL;
