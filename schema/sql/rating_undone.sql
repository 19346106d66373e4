DROP TRIGGER IF EXISTS take_in_cdr ON asterisk.cdr;
DROP FUNCTION IF EXISTS public.take_in_cdr, public.land, public.uuid_or_null;
DROP TABLE public.calls CASCADE;
DROP FUNCTION IF EXISTS public.count_new_call, public.count_changed_calls, public.count_anew, public.rate_call, public.amount, public.billed_seconds;
DROP TYPE IF EXISTS public.rating;
DROP TABLE public.call_totals CASCADE;
DROP TABLE public.unrated_cdrs;
ALTER TABLE asterisk.cdr DROP COLUMN pdd, DROP COLUMN previous_cause, DROP COLUMN previous_status;
ALTER TABLE public.price_plans DROP COLUMN inbound_plan_id, DROP COLUMN onnet_charged;
ALTER TABLE public.import_tariffs
    ALTER COLUMN cost_per_minute TYPE numeric(12, 6),
    ALTER COLUMN price_per_minute TYPE numeric(12, 6),
    ALTER COLUMN connect_fee TYPE numeric(12, 6);
ALTER TABLE public.provider_tariffs
    ALTER COLUMN cost_per_minute TYPE numeric(12, 6),
    ALTER COLUMN connect_fee TYPE numeric(12, 6);
ALTER TABLE public.tariffs
    ALTER COLUMN cost_per_minute TYPE numeric(12, 6),
    ALTER COLUMN price_per_minute TYPE numeric(12, 6),
    ALTER COLUMN connect_fee TYPE numeric(12, 6);
ALTER TABLE public.providers ALTER COLUMN cost_per_minute TYPE numeric(12, 6);
ALTER TABLE public.settings DROP COLUMN price_places;

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
CREATE INDEX ix_calls_customer ON public.calls (customer_id, started_at);
CREATE INDEX ix_calls_started ON public.calls (started_at, id);
CREATE TABLE public.calls_default PARTITION OF public.calls DEFAULT;
