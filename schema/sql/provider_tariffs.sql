-- What a provider charges for calls to numbers of a prefix, from a day on: its deck. The longest prefix counts.
CREATE TABLE public.provider_tariffs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    provider_id uuid NOT NULL,
    prefix text NOT NULL,
    description text DEFAULT '' NOT NULL,
    cost_per_minute numeric(12, 6) NOT NULL,
    minimum_seconds integer DEFAULT 30 NOT NULL,
    increment_seconds integer DEFAULT 6 NOT NULL,
    connect_fee numeric(12, 6) DEFAULT 0 NOT NULL,
    valid_from timestamptz DEFAULT now() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_provider_tariffs PRIMARY KEY (id),
    CONSTRAINT uq_provider_tariffs_provider_id_prefix_valid_from UNIQUE (provider_id, prefix, valid_from),
    CONSTRAINT ck_provider_tariffs_prefix CHECK (prefix ~ '^[0-9]{1,15}$'),
    CONSTRAINT ck_provider_tariffs_amounts CHECK (cost_per_minute >= 0 AND connect_fee >= 0),
    CONSTRAINT ck_provider_tariffs_minimum_seconds CHECK (minimum_seconds BETWEEN 0 AND 3600),
    CONSTRAINT ck_provider_tariffs_increment_seconds CHECK (increment_seconds BETWEEN 1 AND 3600),
    CONSTRAINT fk_provider_tariffs_provider_id_providers FOREIGN KEY (provider_id)
        REFERENCES public.providers (id) ON DELETE CASCADE
);
