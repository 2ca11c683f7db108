CREATE TABLE reporter (
    -- What became of the word of those who report.
    name TEXT PRIMARY KEY,              -- as configured
    earned INTEGER NOT NULL,            -- hundredths above the configured weight, or below it
    risen_on INTEGER NOT NULL,          -- the last day on which it rose, since 1970-01-01
    risen_by INTEGER NOT NULL,          -- by so much on that day
    confirmed INTEGER NOT NULL,         -- addresses that proved right
    doubted INTEGER NOT NULL,           -- addresses that proved wrong
    last INTEGER NOT NULL,              -- the last report
    network TEXT,                       -- where it came from
    exposed INTEGER,                    -- when he reported a canary; NULL: he is trusted
    canary TEXT,                        -- which
    void_until INTEGER NOT NULL         -- what he reported before does not count
) STRICT, WITHOUT ROWID;
-- What somebody reported is found by his name.
CREATE INDEX event_reporter ON event (reporter, time) WHERE reporter IS NOT NULL;
