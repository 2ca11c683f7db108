ALTER TABLE event ADD COLUMN reporter TEXT;  -- who reported it; NULL: seen by this server
ALTER TABLE event ADD COLUMN weight INTEGER; -- how much his word counts, in hundredths
CREATE INDEX event_reported ON event (time) WHERE reporter IS NOT NULL;
