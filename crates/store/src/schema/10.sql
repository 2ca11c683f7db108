-- Of an event `rate-exceeded`: the limit by its name in the configuration, and the domain of the envelope's sender.
ALTER TABLE event ADD COLUMN exceeded TEXT;
ALTER TABLE event ADD COLUMN sender_domain TEXT;
-- Whom a limit stopped last is asked for at each start.
CREATE INDEX event_exceeded ON event (time) WHERE exceeded IS NOT NULL;
