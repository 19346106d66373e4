-- What the dialplan knows besides: the cause with which it refused a call, and how often a call was sent on already.
ALTER TABLE asterisk.cdr ADD COLUMN cause text;
ALTER TABLE asterisk.call_requests ADD COLUMN forwards text DEFAULT '' NOT NULL;
