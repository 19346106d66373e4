-- Rules against toll fraud, what they found, and whom to tell.

-- A rule looks at calls out of one customer or of each. It counts some of them in a window of time, and hits when they
-- are more, longer or dearer than it allows.
CREATE TABLE public.fraud_rules (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    customer_id uuid,
    destinations text DEFAULT 'international' NOT NULL,
    prefixes text[] DEFAULT '{}' NOT NULL,
    window_minutes integer DEFAULT 15 NOT NULL,
    max_calls integer,
    max_minutes integer,
    max_amount numeric(16, 8),
    short_seconds integer DEFAULT 6 NOT NULL,
    known_days integer DEFAULT 90 NOT NULL,
    night_from text DEFAULT '22:00' NOT NULL,
    night_until text DEFAULT '06:00' NOT NULL,
    action text DEFAULT 'alert' NOT NULL,
    state text DEFAULT 'draft' NOT NULL,
    changed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_fraud_rules PRIMARY KEY (id),
    CONSTRAINT uq_fraud_rules_name UNIQUE (name),
    CONSTRAINT fk_fraud_rules_customer_id_customers FOREIGN KEY (customer_id)
        REFERENCES public.customers (id) ON DELETE CASCADE,
    CONSTRAINT ck_fraud_rules_kind CHECK (kind IN ('spending', 'destination', 'burst', 'night')),
    CONSTRAINT ck_fraud_rules_destinations CHECK (destinations IN ('all', 'international', 'prefixes')),
    CONSTRAINT ck_fraud_rules_prefixes
        CHECK (array_to_string(prefixes, ',') ~ '^([0-9]{1,15}(,[0-9]{1,15})*)?$'
               AND (destinations <> 'prefixes' OR cardinality(prefixes) > 0)),
    CONSTRAINT ck_fraud_rules_window_minutes CHECK (window_minutes BETWEEN 1 AND 1440),
    CONSTRAINT ck_fraud_rules_limits CHECK (
        num_nonnulls(max_calls, max_minutes, max_amount) > 0
        AND max_calls BETWEEN 0 AND 1000000 AND max_minutes BETWEEN 0 AND 1000000 AND max_amount >= 0),
    CONSTRAINT ck_fraud_rules_short_seconds CHECK (short_seconds BETWEEN 1 AND 3600),
    CONSTRAINT ck_fraud_rules_known_days CHECK (known_days BETWEEN 1 AND 365),
    CONSTRAINT ck_fraud_rules_night
        CHECK (night_from || night_until ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]){2}$' AND night_from <> night_until),
    CONSTRAINT ck_fraud_rules_action CHECK (action IN ('alert', 'block_international', 'block_all')),
    CONSTRAINT ck_fraud_rules_state CHECK (state IN ('draft', 'armed'))
);
CREATE INDEX ix_fraud_rules_customer_id ON public.fraud_rules (customer_id);

-- What a rule would have done, as it was last found out.
CREATE TABLE public.fraud_tests (
    rule_id uuid NOT NULL,
    days integer NOT NULL,
    tested_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    username text NOT NULL,
    result jsonb NOT NULL,
    CONSTRAINT pk_fraud_tests PRIMARY KEY (rule_id),
    CONSTRAINT fk_fraud_tests_rule_id_fraud_rules FOREIGN KEY (rule_id)
        REFERENCES public.fraud_rules (id) ON DELETE CASCADE
);

-- When an agent last looked by an armed rule, how long that took, and what was wrong if it failed.
CREATE TABLE public.fraud_looks (
    rule_id uuid NOT NULL,
    looked_at timestamptz NOT NULL,
    milliseconds integer NOT NULL,
    error text DEFAULT '' NOT NULL,
    CONSTRAINT pk_fraud_looks PRIMARY KEY (rule_id),
    CONSTRAINT fk_fraud_looks_rule_id_fraud_rules FOREIGN KEY (rule_id)
        REFERENCES public.fraud_rules (id) ON DELETE CASCADE
);

-- A rule hit. As long as the case is open, its action stands: route_call() asks here. It outlives its rule.
CREATE TABLE public.fraud_cases (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    rule_id uuid,
    rule_name text NOT NULL,
    customer_id uuid NOT NULL,
    action text NOT NULL,
    calls integer NOT NULL,
    seconds integer NOT NULL,
    amount numeric(18, 8) NOT NULL,
    evidence jsonb NOT NULL,
    released_at timestamptz,
    released_by text DEFAULT '' NOT NULL,
    exempt_until timestamptz,
    CONSTRAINT pk_fraud_cases PRIMARY KEY (id),
    CONSTRAINT fk_fraud_cases_rule_id_fraud_rules FOREIGN KEY (rule_id)
        REFERENCES public.fraud_rules (id) ON DELETE SET NULL,
    CONSTRAINT fk_fraud_cases_customer_id_customers FOREIGN KEY (customer_id)
        REFERENCES public.customers (id) ON DELETE CASCADE,
    CONSTRAINT ck_fraud_cases_action CHECK (action IN ('alert', 'block_international', 'block_all'))
);
CREATE UNIQUE INDEX uq_fraud_cases_open ON public.fraud_cases (rule_id, customer_id) WHERE released_at IS NULL;
CREATE INDEX ix_fraud_cases_customer_id ON public.fraud_cases (customer_id);
CREATE INDEX ix_fraud_cases_open ON public.fraud_cases (customer_id) WHERE released_at IS NULL;
CREATE INDEX ix_fraud_cases_created_at ON public.fraud_cases (created_at, id);

-- Whom to tell, and what is yet to be told. The agents send it.
CREATE TABLE public.alert_settings (
    id uuid DEFAULT '00000000-0000-0000-0000-000000000001' NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    emails text[] DEFAULT '{}' NOT NULL,
    language text DEFAULT 'pt_BR' NOT NULL,
    webhook_url text DEFAULT '' NOT NULL,
    CONSTRAINT pk_alert_settings PRIMARY KEY (id),
    CONSTRAINT ck_alert_settings_one CHECK (id = '00000000-0000-0000-0000-000000000001'),
    CONSTRAINT ck_alert_settings_language CHECK (language IN ('pt_BR', 'en'))
);
INSERT INTO public.alert_settings DEFAULT VALUES;

CREATE TABLE public.alerts (
    id bigint GENERATED BY DEFAULT AS IDENTITY,
    created_at timestamptz DEFAULT now() NOT NULL,
    channel text NOT NULL,
    kind text NOT NULL,
    about jsonb NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    next_try_at timestamptz DEFAULT now() NOT NULL,
    sent_at timestamptz,
    given_up_at timestamptz,
    error text DEFAULT '' NOT NULL,
    CONSTRAINT pk_alerts PRIMARY KEY (id),
    CONSTRAINT ck_alerts_channel CHECK (channel IN ('email', 'webhook'))
);
CREATE INDEX ix_alerts_owed ON public.alerts (next_try_at) WHERE sent_at IS NULL AND given_up_at IS NULL;

-- To begin with. Somebody tests and arms them.
INSERT INTO public.fraud_rules (
    name, kind, destinations, window_minutes, max_calls, max_minutes, max_amount, action)
VALUES
    ('Muito dinheiro em chamadas para o exterior', 'spending', 'international', 15, NULL, NULL, 50, 'block_international'),
    ('País nunca chamado antes', 'destination', 'international', 60, 10, 30, NULL, 'block_international'),
    ('Muitas chamadas curtas', 'burst', 'all', 10, 100, NULL, NULL, 'alert'),
    ('Exterior à noite', 'night', 'international', 60, 20, NULL, 50, 'block_international');
