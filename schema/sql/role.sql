-- The role Asterisk connects with. It sees schema asterisk and nothing else; it reads what it must and inserts call
-- records and call requests. Its password is set by `asterisk-admin asterisk-password`.

DO $$ BEGIN
    CREATE ROLE asterisk LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 100;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- A hung query would hold res_config_pgsql's one connection and with it every call of the node.
DO $$ BEGIN
    EXECUTE format('ALTER ROLE asterisk IN DATABASE %I SET search_path = asterisk', current_database());
    EXECUTE format('ALTER ROLE asterisk IN DATABASE %I SET statement_timeout = ''2s''', current_database());
    EXECUTE format('ALTER ROLE asterisk IN DATABASE %I SET lock_timeout = ''1s''', current_database());
    EXECUTE format('ALTER ROLE asterisk IN DATABASE %I SET timezone = ''UTC''', current_database());
    -- A call does not wait for the disk. What a crash of the database loses is in the node's CDR journal.
    EXECUTE format('ALTER ROLE asterisk IN DATABASE %I SET synchronous_commit = off', current_database());
END $$;

-- Whoever may make a type of his own has it found before PostgreSQL's of the same name, in functions that run with our
-- rights, too (they look there last, by their search_path). Asterisk needs nothing temporary.
DO $$ BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO CURRENT_USER', current_database());
END $$;

-- A function is everybody's unless it is said otherwise. Ours are the owner's; those of extensions stay as they are.
DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOR ours IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace IN ('public'::regnamespace, 'asterisk'::regnamespace) AND p.proowner = CURRENT_USER::regrole
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', ours);
    END LOOP;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA asterisk FROM asterisk;
GRANT USAGE ON SCHEMA asterisk TO asterisk;
GRANT SELECT ON
    asterisk.ps_endpoints, asterisk.ps_auths, asterisk.ps_aors, asterisk.ps_endpoint_id_ips,
    asterisk.own_registrations, asterisk.ps_domain_aliases, asterisk.extensions, asterisk.canary, asterisk.sign_of_life,
    asterisk.call_answers
TO asterisk;
GRANT INSERT (id, endpoint, customer_id, dialed, caller, channels, direction, forwards) ON asterisk.call_requests TO asterisk;
GRANT INSERT ON asterisk.cdr TO asterisk;
GRANT USAGE ON SEQUENCE asterisk.cdr_id_seq TO asterisk;
GRANT EXECUTE ON FUNCTION public.registering_node(text) TO asterisk;  -- Which the view own_registrations asks.
GRANT EXECUTE ON FUNCTION asterisk.from_now(interval) TO asterisk;  -- Which the view call_answers asks.
