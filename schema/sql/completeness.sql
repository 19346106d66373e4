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
