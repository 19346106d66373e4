-- Every call priced. Nothing ever wrote public.calls before this, so it is made anew rather than altered.

ALTER TABLE public.settings
    ADD COLUMN price_places integer DEFAULT 4 NOT NULL,
    ADD CONSTRAINT ck_settings_price_places CHECK (price_places BETWEEN 0 AND 8);

-- Rates of eight decimals. What is looked up with each call is compared byte by byte: by the rules of a language it
-- takes twice as long.
ALTER TABLE public.providers ALTER COLUMN cost_per_minute TYPE numeric(16, 8);
ALTER TABLE public.tariffs
    ALTER COLUMN prefix TYPE text COLLATE "C",
    ALTER COLUMN cost_per_minute TYPE numeric(16, 8),
    ALTER COLUMN price_per_minute TYPE numeric(16, 8),
    ALTER COLUMN connect_fee TYPE numeric(16, 8);
ALTER TABLE public.provider_tariffs
    ALTER COLUMN prefix TYPE text COLLATE "C",
    ALTER COLUMN cost_per_minute TYPE numeric(16, 8),
    ALTER COLUMN connect_fee TYPE numeric(16, 8);
ALTER TABLE public.import_tariffs
    ALTER COLUMN cost_per_minute TYPE numeric(16, 8),
    ALTER COLUMN price_per_minute TYPE numeric(16, 8),
    ALTER COLUMN connect_fee TYPE numeric(16, 8);

-- By which tariffs calls to a customer's own numbers are charged (NULL: they are free), and whether calls between
-- customers cost what other calls do.
ALTER TABLE public.price_plans
    ADD COLUMN inbound_plan_id uuid,
    ADD COLUMN onnet_charged boolean DEFAULT false NOT NULL,
    ADD CONSTRAINT fk_price_plans_inbound_plan_id_price_plans FOREIGN KEY (inbound_plan_id)
        REFERENCES public.price_plans (id);
CREATE INDEX ix_price_plans_inbound_plan_id ON public.price_plans (inbound_plan_id);

-- What the dialplan knows besides: milliseconds until the callee rang, and how the leg before this one ended.
ALTER TABLE asterisk.cdr
    ADD COLUMN pdd text,
    ADD COLUMN previous_cause text,
    ADD COLUMN previous_status text;

DROP TABLE public.calls;

-- The legs of calls, one row for each CDR that is one, with how its amounts came about: tariffs change, calls do not.
CREATE TABLE public.calls (
    id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    day timestamptz NOT NULL,
    answered_at timestamptz,
    ended_at timestamptz,
    node text COLLATE "C" NOT NULL,
    uniqueid text COLLATE "C" NOT NULL,
    sequence integer NOT NULL,
    linkedid text DEFAULT '' NOT NULL,
    request text DEFAULT '' NOT NULL,
    direction text NOT NULL,
    customer_id uuid,
    provider_id uuid,
    gateway_id uuid,
    did text COLLATE "C" DEFAULT '' NOT NULL,
    src text DEFAULT '' NOT NULL,
    dst text DEFAULT '' NOT NULL,
    disposition text NOT NULL,
    reason text DEFAULT '' NOT NULL,
    cause integer,
    sip_status integer,
    pdd integer,
    duration integer NOT NULL,
    billsec integer NOT NULL,
    price_plan_id uuid,
    prefix text DEFAULT '' NOT NULL,
    destination text DEFAULT '' NOT NULL,
    price_per_minute numeric(16, 8) DEFAULT 0 NOT NULL,
    connect_fee numeric(16, 8) DEFAULT 0 NOT NULL,
    minimum_seconds integer DEFAULT 0 NOT NULL,
    increment_seconds integer DEFAULT 1 NOT NULL,
    billed_seconds integer DEFAULT 0 NOT NULL,
    price numeric(18, 8) DEFAULT 0 NOT NULL,
    cost_source text DEFAULT '' NOT NULL,
    cost_prefix text DEFAULT '' NOT NULL,
    cost_per_minute numeric(16, 8) DEFAULT 0 NOT NULL,
    cost_connect_fee numeric(16, 8) DEFAULT 0 NOT NULL,
    cost_minimum_seconds integer DEFAULT 0 NOT NULL,
    cost_increment_seconds integer DEFAULT 1 NOT NULL,
    cost_billed_seconds integer DEFAULT 0 NOT NULL,
    cost numeric(18, 8) DEFAULT 0 NOT NULL,
    unrated text DEFAULT '' NOT NULL,
    CONSTRAINT pk_calls PRIMARY KEY (started_at, id),
    CONSTRAINT uq_calls_leg UNIQUE (node, uniqueid, sequence, started_at)
) PARTITION BY RANGE (started_at);
-- Each index is paid for with each call. A call by its id alone is found in the few pages that were written then; those
-- of a gateway, of which there are few, on the way through the time.
CREATE INDEX ix_calls_id ON public.calls USING brin (id) WITH (pages_per_range = 16);
CREATE INDEX ix_calls_customer ON public.calls (customer_id, started_at);
CREATE INDEX ix_calls_did ON public.calls (did, started_at) WHERE did <> '';
CREATE INDEX ix_calls_loss ON public.calls (started_at) WHERE price < cost;
CREATE INDEX ix_calls_unrated ON public.calls (started_at) WHERE unrated <> '';
CREATE TABLE public.calls_default PARTITION OF public.calls DEFAULT;

-- CDRs that no call could be made of, and why. The CDR itself is in asterisk.cdr.
CREATE TABLE public.unrated_cdrs (
    cdr_id bigint NOT NULL,
    reason text NOT NULL,
    noticed_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_unrated_cdrs PRIMARY KEY (cdr_id)
);

-- What the calls of an hour or of a day come to, for each customer, gateway and so on by itself, so that no report
-- counts calls (which are there for what: functions/call_totals.sql). A trigger keeps it up with every change of public.calls. A day begins at the company's midnight, which
-- each call keeps: the time zone may be changed later.
CREATE TABLE public.call_totals (
    dimension text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    starts_at timestamptz NOT NULL,
    thing text COLLATE "C" NOT NULL,
    direction text COLLATE "C" NOT NULL,
    calls bigint NOT NULL,
    answered bigint NOT NULL,
    short bigint NOT NULL,
    seconds bigint NOT NULL,
    billed_seconds bigint NOT NULL,
    pdd_calls bigint NOT NULL,
    pdd bigint NOT NULL,
    cost numeric(20, 8) NOT NULL,
    price numeric(20, 8) NOT NULL,
    CONSTRAINT pk_call_totals PRIMARY KEY (dimension, period, starts_at, thing, direction)
) WITH (fillfactor = 70);
