-- Proofs that Asterisk has what was said: the last one of each node (and, without a name, of Asterisk's tables), for
-- everything or for one owner of rows. The web asks by a row, the node's agent answers in it.
CREATE TABLE public.sync_checks (
    node text NOT NULL,
    scope text DEFAULT '' NOT NULL,
    asked_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    asked_by text NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    total integer DEFAULT 0 NOT NULL,
    finished_at timestamptz,
    error text DEFAULT '' NOT NULL,
    differences integer DEFAULT 0 NOT NULL,
    findings jsonb DEFAULT '[]' NOT NULL,
    by_hand jsonb DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_sync_checks PRIMARY KEY (node, scope)
);
