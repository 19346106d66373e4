-- What operators manage. Ids are UUIDs; constraints have names, for a broken one becomes a sentence at a field; texts
-- that may be left out are '' rather than NULL, so that "nothing" is written in one way.

CREATE TABLE public.audit_log (
    id serial NOT NULL,
    at timestamptz DEFAULT now() NOT NULL,
    username text NOT NULL,
    request_id text DEFAULT '' NOT NULL,
    action text NOT NULL,
    kind text NOT NULL,
    thing_id uuid NOT NULL,
    label text NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (id)
);
CREATE INDEX ix_audit_log_at ON public.audit_log (at);
CREATE INDEX ix_audit_log_thing ON public.audit_log (kind, thing_id, at);

CREATE TABLE public.nodes (
    name text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    seen_at timestamptz,
    asterisk_up boolean DEFAULT false NOT NULL,
    detail text DEFAULT '' NOT NULL,
    CONSTRAINT pk_nodes PRIMARY KEY (name)
);

CREATE TABLE public.price_plans (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_price_plans PRIMARY KEY (id),
    CONSTRAINT uq_price_plans_name UNIQUE (name)
);

CREATE TABLE public.providers (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    type text DEFAULT 'both' NOT NULL,
    cost_per_minute numeric(12, 6) DEFAULT 0 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_providers PRIMARY KEY (id),
    CONSTRAINT ck_providers_type CHECK (type IN ('termination', 'numbers', 'both')),
    CONSTRAINT ck_providers_cost_per_minute CHECK (cost_per_minute >= 0),
    CONSTRAINT uq_providers_name UNIQUE (name)
);

CREATE TABLE public.users (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    role text DEFAULT 'viewer' NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    language text DEFAULT '' NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_role CHECK (role IN ('viewer', 'operator', 'admin')),
    CONSTRAINT uq_users_username UNIQUE (username)
);

CREATE TABLE public.customers (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    price_plan_id uuid,
    caller_id text DEFAULT '' NOT NULL,
    trunk_ip text[] DEFAULT '{}' NOT NULL,
    trunk_port integer DEFAULT 5060 NOT NULL,
    qualify_frequency integer DEFAULT 60 NOT NULL,
    codecs text[] DEFAULT '{alaw,ulaw}' NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_customers PRIMARY KEY (id),
    CONSTRAINT uq_customers_id_type UNIQUE (id, type),
    CONSTRAINT ck_customers_type CHECK (type IN ('trunk', 'extension')),
    CONSTRAINT ck_customers_trunk_has_ip CHECK (type <> 'trunk' OR cardinality(trunk_ip) > 0),
    CONSTRAINT ck_customers_trunk_port CHECK (trunk_port BETWEEN 1 AND 65535),
    CONSTRAINT ck_customers_qualify_frequency CHECK (qualify_frequency BETWEEN 0 AND 3600),
    CONSTRAINT ck_customers_codecs CHECK (cardinality(codecs) > 0),
    CONSTRAINT uq_customers_code UNIQUE (code),
    CONSTRAINT fk_customers_price_plan_id_price_plans FOREIGN KEY(price_plan_id) REFERENCES public.price_plans (id)
);
CREATE INDEX ix_customers_price_plan_id ON public.customers (price_plan_id);

CREATE TABLE public.gateways (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    provider_id uuid NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    ip_address text NOT NULL,
    port integer DEFAULT 5060 NOT NULL,
    transport text DEFAULT 'udp' NOT NULL,
    source_ips text[] DEFAULT '{}' NOT NULL,
    domain text DEFAULT '' NOT NULL,
    registration boolean DEFAULT false NOT NULL,
    username text DEFAULT '' NOT NULL,
    password text DEFAULT '' NOT NULL,
    codecs text[] DEFAULT '{alaw,ulaw}' NOT NULL,
    tech_prefix text DEFAULT '' NOT NULL,
    inbound_strip integer DEFAULT 0 NOT NULL,
    inbound_prepend text DEFAULT '' NOT NULL,
    qualify_frequency integer DEFAULT 60 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_gateways PRIMARY KEY (id),
    CONSTRAINT ck_gateways_port CHECK (port BETWEEN 1 AND 65535),
    CONSTRAINT ck_gateways_transport CHECK (transport IN ('udp', 'tcp', 'tls')),
    CONSTRAINT ck_gateways_registration_has_credentials CHECK (NOT registration OR (username <> '' AND password <> '')),
    CONSTRAINT ck_gateways_inbound_strip CHECK (inbound_strip BETWEEN 0 AND 15),
    CONSTRAINT ck_gateways_qualify_frequency CHECK (qualify_frequency BETWEEN 0 AND 3600),
    CONSTRAINT ck_gateways_codecs CHECK (cardinality(codecs) > 0),
    CONSTRAINT uq_gateways_name UNIQUE (name),
    CONSTRAINT fk_gateways_provider_id_providers FOREIGN KEY(provider_id) REFERENCES public.providers (id)
);
CREATE INDEX ix_gateways_provider_id ON public.gateways (provider_id);

CREATE TABLE public.outbox (
    id bigint GENERATED BY DEFAULT AS IDENTITY,
    node text NOT NULL,
    action text NOT NULL,
    object text DEFAULT '' NOT NULL,
    request_id text DEFAULT '' NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    done_at timestamptz,
    error text DEFAULT '' NOT NULL,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT fk_outbox_node_nodes FOREIGN KEY(node) REFERENCES public.nodes (name) ON DELETE CASCADE
);
CREATE INDEX ix_outbox_owed ON public.outbox (node, id) WHERE done_at IS NULL;

CREATE TABLE public.tariffs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    price_plan_id uuid NOT NULL,
    prefix text NOT NULL,
    description text DEFAULT '' NOT NULL,
    cost_per_minute numeric(12, 6) DEFAULT 0 NOT NULL,
    price_per_minute numeric(12, 6) NOT NULL,
    minimum_seconds integer DEFAULT 30 NOT NULL,
    increment_seconds integer DEFAULT 6 NOT NULL,
    connect_fee numeric(12, 6) DEFAULT 0 NOT NULL,
    valid_from timestamptz DEFAULT now() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_tariffs PRIMARY KEY (id),
    CONSTRAINT uq_tariffs_price_plan_id_prefix_valid_from UNIQUE (price_plan_id, prefix, valid_from),
    CONSTRAINT ck_tariffs_prefix CHECK (prefix ~ '^[0-9]{1,15}$'),
    CONSTRAINT ck_tariffs_amounts CHECK (cost_per_minute >= 0 AND price_per_minute >= 0 AND connect_fee >= 0),
    CONSTRAINT ck_tariffs_minimum_seconds CHECK (minimum_seconds BETWEEN 0 AND 3600),
    CONSTRAINT ck_tariffs_increment_seconds CHECK (increment_seconds BETWEEN 1 AND 3600),
    CONSTRAINT fk_tariffs_price_plan_id_price_plans FOREIGN KEY(price_plan_id) REFERENCES public.price_plans (id) ON DELETE CASCADE
);

CREATE TABLE public.dids (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    number text NOT NULL,
    provider_id uuid NOT NULL,
    gateway_id uuid,
    status text DEFAULT 'available' NOT NULL,
    description text DEFAULT '' NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_dids PRIMARY KEY (id),
    CONSTRAINT ck_dids_number CHECK (number ~ '^[1-9][0-9]{7,14}$'),
    CONSTRAINT ck_dids_status CHECK (status IN ('available', 'reserved', 'allocated', 'quarantine', 'blocked')),
    CONSTRAINT uq_dids_number UNIQUE (number),
    CONSTRAINT fk_dids_provider_id_providers FOREIGN KEY(provider_id) REFERENCES public.providers (id),
    CONSTRAINT fk_dids_gateway_id_gateways FOREIGN KEY(gateway_id) REFERENCES public.gateways (id)
);
CREATE INDEX ix_dids_gateway_id ON public.dids (gateway_id);
CREATE INDEX ix_dids_provider_id ON public.dids (provider_id);

CREATE TABLE public.extensions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    customer_id uuid NOT NULL,
    customer_type text GENERATED ALWAYS AS ('extension') STORED NOT NULL,
    extension text NOT NULL,
    name text DEFAULT '' NOT NULL,
    secret text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_extensions PRIMARY KEY (id),
    CONSTRAINT uq_extensions_customer_id_extension UNIQUE (customer_id, extension),
    CONSTRAINT uq_extensions_id_customer_id UNIQUE (id, customer_id),
    CONSTRAINT fk_extensions_customer_id_customer_type_customers FOREIGN KEY(customer_id, customer_type) REFERENCES public.customers (id, type),
    CONSTRAINT ck_extensions_extension CHECK (extension ~ '^[0-9]{2,6}$')
);

CREATE TABLE public.routes (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    pattern text NOT NULL,
    regex text GENERATED ALWAYS AS (public.pattern_regex(pattern)) STORED NOT NULL,
    gateway_id uuid NOT NULL,
    priority integer DEFAULT 100 NOT NULL,
    strip integer DEFAULT 0 NOT NULL,
    prepend text DEFAULT '' NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_routes PRIMARY KEY (id),
    CONSTRAINT ck_routes_priority CHECK (priority BETWEEN 1 AND 9999),
    -- A pattern whose expression PostgreSQL cannot read would stop every call; it is tried here.
    CONSTRAINT ck_routes_pattern CHECK (('' ~ regex) IS NOT NULL),
    CONSTRAINT ck_routes_strip CHECK (strip BETWEEN 0 AND 15),
    CONSTRAINT uq_routes_name UNIQUE (name),
    CONSTRAINT fk_routes_gateway_id_gateways FOREIGN KEY(gateway_id) REFERENCES public.gateways (id)
);
CREATE INDEX ix_routes_gateway_id ON public.routes (gateway_id);

CREATE TABLE public.customer_dids (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    did_id uuid NOT NULL,
    customer_id uuid,
    customer_code text NOT NULL,
    extension_id uuid,
    trunk_type text GENERATED ALWAYS AS (CASE WHEN released_at IS NULL AND extension_id IS NULL THEN 'trunk' END) STORED,
    released_destination text DEFAULT '' NOT NULL,
    allocated_at timestamptz DEFAULT now() NOT NULL,
    released_at timestamptz,
    CONSTRAINT pk_customer_dids PRIMARY KEY (id),
    -- One at a time. Deferred, so that one allocation may follow another in a transaction, in whatever order.
    CONSTRAINT uq_customer_dids_current EXCLUDE USING btree (did_id WITH =) WHERE (released_at IS NULL)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_customer_dids_current_has_customer CHECK (released_at IS NOT NULL OR customer_id IS NOT NULL),
    CONSTRAINT ck_customer_dids_released_has_no_extension CHECK (released_at IS NULL OR extension_id IS NULL),
    CONSTRAINT fk_customer_dids_did_id_dids FOREIGN KEY(did_id) REFERENCES public.dids (id) ON DELETE CASCADE,
    CONSTRAINT fk_customer_dids_customer_id_customers FOREIGN KEY(customer_id) REFERENCES public.customers (id) ON DELETE SET NULL,
    -- The phone is the customer's own; without a phone the customer has a trunk. (No check where one side is NULL.)
    CONSTRAINT fk_customer_dids_extension_id_customer_id_extensions FOREIGN KEY (extension_id, customer_id)
        REFERENCES public.extensions (id, customer_id),
    CONSTRAINT fk_customer_dids_customer_id_trunk_type_customers FOREIGN KEY (customer_id, trunk_type)
        REFERENCES public.customers (id, type)
);
CREATE INDEX ix_customer_dids_customer_id ON public.customer_dids (customer_id);
CREATE INDEX ix_customer_dids_did_id ON public.customer_dids (did_id);
CREATE INDEX ix_customer_dids_extension_id ON public.customer_dids (extension_id);

-- Who sends calls from which address: kept by triggers from gateways and customers (functions/peer_addresses.sql).
-- Addresses of one holder may overlap, those of two may not.
CREATE TABLE public.peer_addresses (
    address inet NOT NULL,
    owner text NOT NULL,
    holder text NOT NULL,
    CONSTRAINT ex_peer_addresses_overlap EXCLUDE USING gist (address inet_ops WITH &&, holder WITH <>)
);
CREATE INDEX ix_peer_addresses_owner ON public.peer_addresses (owner);

-- Rated call legs. One row for each CDR, known by the node, its call id and the sequence number of the leg.
CREATE TABLE public.calls (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    started_at timestamptz NOT NULL,
    answered_at timestamptz,
    ended_at timestamptz,
    node text NOT NULL,
    uniqueid text NOT NULL,
    sequence integer NOT NULL,
    direction text NOT NULL,
    customer_id uuid,
    provider_id uuid,
    gateway_id uuid,
    did text DEFAULT '' NOT NULL,
    src text DEFAULT '' NOT NULL,
    dst text DEFAULT '' NOT NULL,
    disposition text NOT NULL,
    duration integer NOT NULL,
    billsec integer NOT NULL,
    cost numeric(12, 6) DEFAULT 0 NOT NULL,
    price numeric(12, 6) DEFAULT 0 NOT NULL,
    CONSTRAINT pk_calls PRIMARY KEY (id, started_at),
    CONSTRAINT uq_calls_leg UNIQUE (node, uniqueid, sequence, started_at)
) PARTITION BY RANGE (started_at);
CREATE TABLE public.calls_default PARTITION OF public.calls DEFAULT;
