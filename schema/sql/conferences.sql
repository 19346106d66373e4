-- Conferences: numbers that are called and joined in a room. Operators ask, the agent of the node has them called and
-- writes down what becomes of it.
CREATE TABLE public.conferences (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    name text NOT NULL,
    customer_id uuid NOT NULL,
    numbers text[] NOT NULL,
    caller_id text DEFAULT '' NOT NULL,
    record boolean DEFAULT false NOT NULL,
    max_minutes integer DEFAULT 120 NOT NULL,
    node text NOT NULL,
    username text NOT NULL,
    closing_at timestamptz,
    ended_at timestamptz,
    end_reason text DEFAULT '' NOT NULL,
    CONSTRAINT pk_conferences PRIMARY KEY (id),
    CONSTRAINT ck_conferences_max_minutes CHECK (max_minutes BETWEEN 1 AND 480),
    CONSTRAINT ck_conferences_end_reason CHECK (end_reason IN ('', 'left', 'nobody', 'closed', 'time', 'lost'))
);
CREATE INDEX ix_conferences_open ON public.conferences (node) WHERE ended_at IS NULL;
CREATE INDEX ix_conferences_created_at ON public.conferences (created_at, id);

-- One call of a number into a room: who is called again is in here twice. What the dialplan asks for it, and its calls,
-- bear its id as their request.
CREATE TABLE public.conference_participants (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    conference_id uuid NOT NULL,
    position integer NOT NULL,
    number text NOT NULL,
    state text DEFAULT 'asked' NOT NULL,
    asked_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    called_at timestamptz,
    joined_at timestamptz,
    left_at timestamptz,
    dropping_at timestamptz,
    CONSTRAINT pk_conference_participants PRIMARY KEY (id),
    CONSTRAINT fk_conference_participants_conference_id_conferences FOREIGN KEY (conference_id)
        REFERENCES public.conferences (id) ON DELETE CASCADE,
    CONSTRAINT ck_conference_participants_state
        CHECK (state IN ('asked', 'calling', 'ringing', 'joined', 'over', 'not_called')),
    CONSTRAINT ck_conference_participants_number CHECK (number ~ '^[+]?[0-9*#]{2,32}$')
);
CREATE INDEX ix_conference_participants_conference_id ON public.conference_participants (conference_id);

-- Who pays where nobody is named.
ALTER TABLE public.settings
    ADD COLUMN conference_customer_id uuid,
    ADD CONSTRAINT fk_settings_conference_customer_id_customers FOREIGN KEY (conference_customer_id)
        REFERENCES public.customers (id) ON DELETE SET NULL;
