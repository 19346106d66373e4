-- The row that Asterisk asks for before it believes that another is not there (extconfig.conf, family canary). Each table
-- that it looks things up in is looked at, too: while somebody holds a lock on one, a look into it fails after a second
-- and finds nothing, although the database answers. (call_requests has no need: without an answer there is no verdict.)
CREATE OR REPLACE VIEW asterisk.sign_of_life AS
SELECT c.id FROM asterisk.canary c
WHERE coalesce((SELECT true FROM asterisk.extensions LIMIT 1), true)
  AND coalesce((SELECT true FROM asterisk.ps_endpoints LIMIT 1), true)
  AND coalesce((SELECT true FROM asterisk.ps_aors LIMIT 1), true)
  AND coalesce((SELECT true FROM asterisk.ps_auths LIMIT 1), true)
  AND coalesce((SELECT true FROM asterisk.ps_endpoint_id_ips LIMIT 1), true)
  AND coalesce((SELECT true FROM asterisk.ps_registrations LIMIT 1), true);
