-- What each node registers: a provider should know us in one place. A registration belongs to the node that it names, or
-- to the first one by name; one that is disabled gives its own away, unless all are. Asterisk says by its
-- application_name which node it is.

CREATE OR REPLACE FUNCTION public.registering_node(chosen text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- From where we register what names this node, or none. (The role of Asterisk asks through the view, and sees no nodes.)
SELECT n.name FROM public.nodes n ORDER BY n.enabled DESC, (n.name = chosen) DESC, n.name LIMIT 1 $$;

CREATE OR REPLACE VIEW asterisk.own_registrations AS
SELECT r.* FROM asterisk.ps_registrations r
WHERE current_setting('application_name', true) = public.registering_node(r.node);

-- When nodes come, go, or are enabled or disabled, registrations may move: all are told, also one that is disabled just
-- now, for it has to let go of its own.
CREATE OR REPLACE FUNCTION public.move_registrations() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM asterisk.ps_registrations) THEN
        INSERT INTO public.outbox (node, action) SELECT n.name, 'reload_registrations' FROM public.nodes n;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER move_registrations
    AFTER INSERT OR DELETE OR UPDATE OF enabled ON public.nodes
    FOR EACH STATEMENT EXECUTE FUNCTION public.move_registrations();
