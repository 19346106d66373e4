-- Whether every call is there: what the nodes' journals hold, what could not be rated, what is rated again.

-- How far each journal has been read, and how far its records are counted in journal_days. A file is known by its first line, which no other has, whatever it is renamed to.
-- This lies beside the call records: a database that is set back to an older state reads on from there.
CREATE TABLE public.journals (
    node text NOT NULL,
    first_line text NOT NULL,
    path text NOT NULL,
    position bigint NOT NULL,
    counted bigint NOT NULL,
    read_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_journals PRIMARY KEY (node, first_line)
);

-- What the journals say of a day: how many calls, and how many of them had to be taken from there. What makes no sense
-- in them counts for the day on which it was met.
CREATE TABLE public.journal_days (
    day timestamptz NOT NULL,
    node text NOT NULL,
    calls bigint DEFAULT 0 NOT NULL,
    recovered bigint DEFAULT 0 NOT NULL,
    unreadable bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_journal_days PRIMARY KEY (day, node)
);

-- The SQLSTATE of what went wrong, and how often it was tried again since.
ALTER TABLE public.unrated_cdrs
    ADD COLUMN code text DEFAULT '' NOT NULL,
    ADD COLUMN tries integer DEFAULT 0 NOT NULL,
    ADD COLUMN tried_at timestamptz;

-- Calls rated again: which ones, how far it is, and what came of it. It goes on in short transactions, so that the calls
-- that end meanwhile do not wait, and whoever takes it on after a crash goes on where it stopped.
CREATE TABLE public.reratings (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    username text NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    customer_id uuid,
    price_plan_id uuid,
    direction text DEFAULT '' NOT NULL,
    only_unrated boolean DEFAULT false NOT NULL,
    state text NOT NULL,
    heartbeat timestamptz DEFAULT clock_timestamp() NOT NULL,
    reached_at timestamptz NOT NULL,
    reached_id bigint DEFAULT 0 NOT NULL,
    calls bigint DEFAULT 0 NOT NULL,
    sample jsonb DEFAULT '[]' NOT NULL,
    error text DEFAULT '' NOT NULL,
    applied_at timestamptz,
    CONSTRAINT pk_reratings PRIMARY KEY (id),
    CONSTRAINT ck_reratings_state CHECK (state IN ('comparing', 'compared', 'applying', 'applied')),
    CONSTRAINT ck_reratings_period CHECK (since < until)
);
CREATE INDEX ix_reratings_created_at ON public.reratings (created_at);

-- What it comes to for each customer: of the calls that change, how many, and their sums before and after. (The zero id
-- is that of calls of nobody.)
CREATE TABLE public.rerating_customers (
    rerating_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    calls bigint NOT NULL,
    price_before numeric(20, 8) NOT NULL,
    price_after numeric(20, 8) NOT NULL,
    cost_before numeric(20, 8) NOT NULL,
    cost_after numeric(20, 8) NOT NULL,
    CONSTRAINT pk_rerating_customers PRIMARY KEY (rerating_id, customer_id),
    CONSTRAINT fk_rerating_customers_rerating_id_reratings FOREIGN KEY (rerating_id)
        REFERENCES public.reratings (id) ON DELETE CASCADE
);
