-- Wake the agents when something was written for them. PostgreSQL delivers the notice at commit, or never.

CREATE OR REPLACE FUNCTION public.notify_agents() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER notify_agents
    AFTER INSERT ON public.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION public.notify_agents();
