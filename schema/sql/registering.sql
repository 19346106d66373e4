-- From which node we register with a provider; NULL: the first one does. Asterisk ignores the column, as it does owner.
ALTER TABLE public.gateways
    ADD COLUMN node text,
    ADD CONSTRAINT fk_gateways_node_nodes FOREIGN KEY (node) REFERENCES public.nodes (name) ON DELETE SET NULL;
ALTER TABLE asterisk.ps_registrations ADD COLUMN node text;
