-- What customers, gateways and calls are limited to.

-- Numbers by what they begin with, for customers who may call no others, or may not call these.
CREATE TABLE public.destination_lists (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    name text NOT NULL,
    prefixes text[] NOT NULL,
    CONSTRAINT pk_destination_lists PRIMARY KEY (id),
    CONSTRAINT uq_destination_lists_name UNIQUE (name),
    CONSTRAINT ck_destination_lists_prefixes
        CHECK (array_to_string(prefixes, ',') ~ '^[0-9]{1,15}(,[0-9]{1,15})*$')
);

-- 0 and NULL are no limit.
ALTER TABLE public.customers
    ADD COLUMN max_channels integer DEFAULT 0 NOT NULL,
    ADD COLUMN calls_per_second integer DEFAULT 0 NOT NULL,
    ADD COLUMN max_price_per_minute numeric(16, 8),
    ADD COLUMN refuse_below_cost boolean DEFAULT false NOT NULL,
    ADD COLUMN daily_limit numeric(16, 8),
    ADD COLUMN allowed_caller_ids text[] DEFAULT '{}' NOT NULL,
    ADD COLUMN blocked_list_id uuid,
    ADD COLUMN allowed_list_id uuid,
    ADD CONSTRAINT ck_customers_max_channels CHECK (max_channels BETWEEN 0 AND 10000),
    ADD CONSTRAINT ck_customers_calls_per_second CHECK (calls_per_second BETWEEN 0 AND 1000),
    ADD CONSTRAINT ck_customers_amounts CHECK (max_price_per_minute >= 0 AND daily_limit >= 0),
    ADD CONSTRAINT fk_customers_blocked_list_id_destination_lists FOREIGN KEY (blocked_list_id)
        REFERENCES public.destination_lists (id),
    ADD CONSTRAINT fk_customers_allowed_list_id_destination_lists FOREIGN KEY (allowed_list_id)
        REFERENCES public.destination_lists (id);
CREATE INDEX ix_customers_blocked_list_id ON public.customers (blocked_list_id);
CREATE INDEX ix_customers_allowed_list_id ON public.customers (allowed_list_id);

ALTER TABLE public.gateways
    ADD COLUMN max_channels integer DEFAULT 0 NOT NULL,
    ADD COLUMN caller_id_format text DEFAULT 'e164' NOT NULL,
    ADD CONSTRAINT ck_gateways_max_channels CHECK (max_channels BETWEEN 0 AND 10000),
    ADD CONSTRAINT ck_gateways_caller_id_format
        CHECK (caller_id_format IN ('e164', 'plus', 'national', 'long_distance'));

-- The digits that a pattern begins with: by them the few routes that may fit a number are found.
ALTER TABLE public.routes ADD COLUMN digits text
    GENERATED ALWAYS AS (substring(pattern FROM '^[0-9*#]*')) STORED NOT NULL;
CREATE INDEX ix_routes_digits ON public.routes (digits);

-- How many calls the customer has on the node that asks. The new calls of the last second are counted by the index.
ALTER TABLE asterisk.call_requests ADD COLUMN channels text DEFAULT '' NOT NULL;
CREATE INDEX ix_call_requests_requested_at ON asterisk.call_requests (requested_at);

ALTER TABLE public.settings
    ADD COLUMN max_call_seconds integer DEFAULT 14400 NOT NULL,
    ADD CONSTRAINT ck_settings_max_call_seconds CHECK (max_call_seconds BETWEEN 60 AND 86400);
