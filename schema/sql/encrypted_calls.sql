-- Calls over TLS, with their media encrypted: how a PBX is reached, and who insists on SRTP. Its keys go along with SIP.
ALTER TABLE public.gateways
    ADD COLUMN srtp boolean DEFAULT false NOT NULL,
    ADD CONSTRAINT ck_gateways_srtp_over_tls CHECK (NOT srtp OR transport = 'tls');
ALTER TABLE public.customers
    ADD COLUMN trunk_transport text DEFAULT 'udp' NOT NULL,
    ADD COLUMN srtp boolean DEFAULT false NOT NULL,
    ADD CONSTRAINT ck_customers_trunk_transport CHECK (trunk_transport IN ('udp', 'tcp', 'tls')),
    ADD CONSTRAINT ck_customers_srtp_over_tls CHECK (NOT srtp OR type <> 'trunk' OR trunk_transport = 'tls');
