-- What the company has settled, and how customers dial.

CREATE TABLE public.settings (
    id uuid DEFAULT '00000000-0000-0000-0000-000000000001' NOT NULL,
    company_name text DEFAULT '' NOT NULL,
    currency text DEFAULT 'BRL' NOT NULL,
    time_zone text DEFAULT 'America/Sao_Paulo' NOT NULL,
    country_code text DEFAULT '55' NOT NULL,
    area_code text DEFAULT '11' NOT NULL,
    emergency_numbers text[] DEFAULT '{112,180,188,190,191,192,193,194,197,198,199,911}' NOT NULL,
    quarantine_days integer DEFAULT 30 NOT NULL,
    call_requests_days integer DEFAULT 90 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_settings PRIMARY KEY (id),
    CONSTRAINT ck_settings_one CHECK (id = '00000000-0000-0000-0000-000000000001'),
    CONSTRAINT ck_settings_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_settings_country_code CHECK (country_code ~ '^[1-9][0-9]{0,2}$'),
    CONSTRAINT ck_settings_area_code CHECK (area_code ~ '^[0-9]{0,5}$'),
    CONSTRAINT ck_settings_emergency_numbers CHECK (cardinality(emergency_numbers) > 0),
    CONSTRAINT ck_settings_quarantine_days CHECK (quarantine_days BETWEEN 0 AND 365),
    CONSTRAINT ck_settings_call_requests_days CHECK (call_requests_days BETWEEN 1 AND 365)
);
INSERT INTO public.settings DEFAULT VALUES;

CREATE TABLE public.number_rules (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    customer_id uuid,
    position integer NOT NULL,
    pattern text NOT NULL,
    regex text GENERATED ALWAYS AS (public.pattern_regex(pattern)) STORED NOT NULL,
    strip integer DEFAULT 0 NOT NULL,
    prepend text DEFAULT '' NOT NULL,
    description text DEFAULT '' NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_number_rules PRIMARY KEY (id),
    CONSTRAINT ck_number_rules_pattern CHECK (('' ~ regex) IS NOT NULL),
    CONSTRAINT ck_number_rules_strip CHECK (strip BETWEEN 0 AND 15),
    CONSTRAINT ck_number_rules_prepend CHECK (prepend ~ '^([0-9]|[{]country[}]|[{]area[}])*$'),
    CONSTRAINT fk_number_rules_customer_id_customers FOREIGN KEY(customer_id) REFERENCES public.customers (id)
        ON DELETE CASCADE
);
CREATE INDEX ix_number_rules_customer_id ON public.number_rules (customer_id);

ALTER TABLE public.customers
    ADD COLUMN number_rules text DEFAULT 'e164' NOT NULL,
    ADD COLUMN area_code text DEFAULT '' NOT NULL,
    ADD CONSTRAINT ck_customers_number_rules CHECK (number_rules IN ('e164', 'brazil', 'company', 'own')),
    ADD CONSTRAINT ck_customers_area_code CHECK (area_code ~ '^[0-9]{0,5}$');
