-- Somebody must be left who may manage users. Saves take turns (store.py), so two admins cannot remove each other.

CREATE OR REPLACE FUNCTION public.keep_an_admin() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM before WHERE role = 'admin' AND enabled)
        AND NOT EXISTS (SELECT FROM public.users WHERE role = 'admin' AND enabled)
    THEN
        RAISE EXCEPTION 'no enabled administrator would be left'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'users_last_admin';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER keep_an_admin_updated
    AFTER UPDATE ON public.users
    REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION public.keep_an_admin();

CREATE OR REPLACE TRIGGER keep_an_admin_deleted
    AFTER DELETE ON public.users
    REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION public.keep_an_admin();
