-- Where the phones are that are registered, whether gateways and PBXs are reached, and whether a node is registered with
-- its gateways. Agents keep them up; nothing is lost with them, so they are not logged.
CREATE UNLOGGED TABLE public.live_contacts (
    node text NOT NULL,
    aor text NOT NULL,
    uri text NOT NULL,
    thing_id uuid,
    address text DEFAULT '' NOT NULL,
    user_agent text DEFAULT '' NOT NULL,
    state text NOT NULL,
    rtt numeric(10, 1),
    since timestamptz NOT NULL,
    CONSTRAINT pk_live_contacts PRIMARY KEY (node, aor, uri),
    CONSTRAINT ck_live_contacts_state CHECK (state IN ('reachable', 'unreachable', 'unchecked'))
);
CREATE INDEX ix_live_contacts_thing_id ON public.live_contacts (thing_id);

CREATE UNLOGGED TABLE public.live_registrations (
    node text NOT NULL,
    name text NOT NULL,
    thing_id uuid,
    state text NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT pk_live_registrations PRIMARY KEY (node, name)
);
CREATE INDEX ix_live_registrations_thing_id ON public.live_registrations (thing_id);
