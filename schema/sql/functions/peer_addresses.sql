-- Whose calls come from which address. Asterisk takes the first identify that matches, in the order of their names,
-- so two owners of one address would be a matter of luck: the constraint on peer_addresses refuses the second.
-- Gateways of one provider may share an address (several accounts, or products told apart by a tech prefix): a
-- registration tells their calls apart, and without one they are the provider's all the same.

CREATE OR REPLACE FUNCTION public.claim_peer_addresses() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM peer_addresses WHERE owner = TG_ARGV[0] || ':' || coalesce(NEW.id, OLD.id);
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    IF TG_ARGV[0] = 'gateway' THEN
        INSERT INTO peer_addresses (address, owner, holder)
        SELECT DISTINCT address::inet, 'gateway:' || NEW.id,
               'provider:' || NEW.provider_id
        FROM unnest(NEW.source_ips || NEW.ip_address) AS address;
    ELSIF NEW.type = 'trunk' THEN
        INSERT INTO peer_addresses (address, owner, holder)
        SELECT DISTINCT address::inet, 'customer:' || NEW.id, 'customer:' || NEW.id
        FROM unnest(NEW.trunk_ip) AS address;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER claim_peer_addresses
    AFTER INSERT OR DELETE OR UPDATE OF ip_address, source_ips, provider_id ON public.gateways
    FOR EACH ROW EXECUTE FUNCTION public.claim_peer_addresses('gateway');

CREATE OR REPLACE TRIGGER claim_peer_addresses
    AFTER INSERT OR DELETE OR UPDATE OF trunk_ip, type ON public.customers
    FOR EACH ROW EXECUTE FUNCTION public.claim_peer_addresses('customer');
