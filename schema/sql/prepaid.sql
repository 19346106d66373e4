-- Customers who pay before they call.

-- A call of theirs ends where the balance does. Without a price plan nobody could say where that is.
ALTER TABLE public.customers
    ADD COLUMN prepaid boolean DEFAULT false NOT NULL,
    ADD COLUMN credit_limit numeric(16, 8) DEFAULT 0 NOT NULL,
    ADD CONSTRAINT ck_customers_credit_limit CHECK (credit_limit >= 0),
    ADD CONSTRAINT ck_customers_prepaid_plan CHECK (NOT prepaid OR price_plan_id IS NOT NULL);

-- The money for a call is put by when it begins, for as many seconds as this at the most.
ALTER TABLE public.settings
    ADD COLUMN prepaid_call_seconds integer DEFAULT 3600 NOT NULL,
    ADD CONSTRAINT ck_settings_prepaid_call_seconds CHECK (prepaid_call_seconds BETWEEN 60 AND 86400);

-- What a customer has paid. A payment is never changed: a wrong one is set right by another one below zero.
CREATE TABLE public.payments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    customer_id uuid NOT NULL,
    amount numeric(16, 8) NOT NULL,
    note text DEFAULT '' NOT NULL,
    recorded_by text NOT NULL,
    CONSTRAINT pk_payments PRIMARY KEY (id),
    CONSTRAINT ck_payments_amount CHECK (amount <> 0),
    CONSTRAINT fk_payments_customer_id_customers FOREIGN KEY (customer_id) REFERENCES public.customers (id)
);
CREATE INDEX ix_payments_customer_id ON public.payments (customer_id) INCLUDE (amount);
CREATE INDEX ix_payments_created_at ON public.payments (created_at, id);

-- What is put by for calls that are going on, until what they cost is known.
CREATE TABLE public.reservations (
    request text COLLATE "C" NOT NULL,
    customer_id uuid NOT NULL,
    amount numeric(18, 8) NOT NULL,
    made_at timestamptz DEFAULT now() NOT NULL,
    until timestamptz NOT NULL,
    CONSTRAINT pk_reservations PRIMARY KEY (request)
);
CREATE INDEX ix_reservations_customer_id ON public.reservations (customer_id);

-- Two more totals: what all calls of a customer ever came to (a moment has to stand there), and what those of a gateway
-- do in a day. Calls that end meanwhile wait, and are counted by the new functions.
LOCK TABLE public.calls IN SHARE MODE;
INSERT INTO public.call_totals
SELECT dimension, 'ever', '1970-01-01 00:00+00', thing, direction, sum(calls), sum(answered), sum(short), sum(seconds),
       sum(billed_seconds), sum(pdd_calls), sum(pdd), sum(cost), sum(price)
FROM public.call_totals
WHERE dimension = 'customer' AND period = 'day'
GROUP BY dimension, thing, direction;
INSERT INTO public.call_totals
SELECT 'gateway', 'day', day, provider_id || ' ' || gateway_id, direction, count(*), count(answered_at),
       count(answered_at) FILTER (WHERE billsec <= 6), sum(billsec), sum(billed_seconds), count(pdd), coalesce(sum(pdd), 0),
       sum(cost), sum(price)
FROM public.calls
WHERE provider_id IS NOT NULL AND gateway_id IS NOT NULL
GROUP BY day, provider_id, gateway_id, direction;

-- Calls to a prepaid customer's numbers are asked for too, where its plan charges for them.
ALTER TABLE asterisk.call_requests ADD COLUMN direction text DEFAULT '' NOT NULL;
