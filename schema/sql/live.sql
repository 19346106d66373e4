-- The calls that go on now, by node. Agents keep them up; nothing is lost with them, so they are not logged.
CREATE UNLOGGED TABLE public.live_channels (
    node text NOT NULL,
    uniqueid text NOT NULL,
    direction text NOT NULL,
    customer_id uuid,
    gateway_id uuid,
    provider_id uuid,
    src text DEFAULT '' NOT NULL,
    dst text DEFAULT '' NOT NULL,
    did text DEFAULT '' NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    answered_at timestamptz,
    CONSTRAINT pk_live_channels PRIMARY KEY (node, uniqueid),
    CONSTRAINT ck_live_channels_state CHECK (state IN ('ringing', 'answered'))
);

-- When an agent last looked: what it saw long ago is not shown.
CREATE UNLOGGED TABLE public.live_nodes (
    node text NOT NULL,
    looked_at timestamptz NOT NULL,
    CONSTRAINT pk_live_nodes PRIMARY KEY (node)
);
