-- What providers bill, held against our calls.

-- The file of a check is kept as that of an import is, until it is deleted by whoever deletes what it belongs to.
ALTER TABLE public.import_files DROP CONSTRAINT fk_import_files_import_id_imports;

CREATE TABLE public.invoice_checks (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    file_name text NOT NULL,
    username text NOT NULL,
    request_id text DEFAULT '' NOT NULL,
    language text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    state text NOT NULL,
    header jsonb DEFAULT '[]' NOT NULL,
    has_header boolean DEFAULT true NOT NULL,
    columns jsonb DEFAULT '{}' NOT NULL,
    progress integer DEFAULT 0 NOT NULL,
    total integer DEFAULT 0 NOT NULL,
    heartbeat timestamptz DEFAULT now() NOT NULL,
    error text DEFAULT '' NOT NULL,
    provider_id uuid NOT NULL,
    time_zone text NOT NULL,
    tolerance_seconds integer NOT NULL,
    tolerance_duration integer NOT NULL,
    tolerance_amount numeric(18, 8) NOT NULL,
    since timestamptz,
    until timestamptz,
    clock_ahead integer DEFAULT 0 NOT NULL,
    their_rounding text DEFAULT '' NOT NULL,
    our_rounding text DEFAULT '' NOT NULL,
    sums jsonb DEFAULT '{}' NOT NULL,
    differing integer DEFAULT 0 NOT NULL,
    billed numeric(20, 8) DEFAULT 0 NOT NULL,
    cost numeric(20, 8) DEFAULT 0 NOT NULL,
    CONSTRAINT pk_invoice_checks PRIMARY KEY (id),
    CONSTRAINT ck_invoice_checks_state CHECK (state IN ('mapping', 'reading', 'ready', 'failed')),
    CONSTRAINT ck_invoice_checks_tolerance_seconds CHECK (tolerance_seconds BETWEEN 0 AND 600),
    CONSTRAINT ck_invoice_checks_tolerance_duration CHECK (tolerance_duration BETWEEN 0 AND 60),
    CONSTRAINT ck_invoice_checks_tolerance_amount CHECK (tolerance_amount >= 0)
);
CREATE INDEX ix_invoice_checks_created_at ON public.invoice_checks (created_at);
CREATE INDEX ix_invoice_checks_provider_id ON public.invoice_checks (provider_id);

-- The lines of a bill as they were understood, each with the call that it is for, and after them the calls that they
-- leave out. Of the call a copy: what was found stays as it was. (No foreign key: it would be asked for at every line.)
CREATE TABLE public.invoice_lines (
    check_id uuid NOT NULL,
    position integer NOT NULL,
    errors jsonb,
    kind text COLLATE "C" DEFAULT '' NOT NULL,
    started_at timestamptz,
    number text,
    caller text,
    seconds integer,
    amount numeric(18, 8),
    call_id bigint,
    call_started_at timestamptz,
    call_number text,
    call_caller text,
    call_seconds integer,
    call_billed_seconds integer,
    call_minimum_seconds integer,
    call_increment_seconds integer,
    cost numeric(18, 8),
    CONSTRAINT pk_invoice_lines PRIMARY KEY (check_id, position)
);
CREATE INDEX ix_invoice_lines_kind ON public.invoice_lines (check_id, kind, position);
