CREATE TABLE key (
    -- The keys that people ask the blocklist with. A key itself is kept nowhere.
    hash TEXT PRIMARY KEY,              -- 32 hexadecimal digits
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    zones TEXT,                         -- the zones that it opens, with blanks between them; NULL: all
    quota INTEGER,                      -- questions in each span; NULL: as many as it likes
    quota_span TEXT,                    -- second, day
    until INTEGER,                      -- when it ends; NULL: not by itself
    made INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    revoked INTEGER,                    -- NULL: in force
    revoked_by TEXT,
    answered INTEGER NOT NULL,          -- questions in all
    refused INTEGER NOT NULL,
    in_span INTEGER NOT NULL,           -- questions in the span of `counted`
    counted INTEGER NOT NULL            -- when that was written
) STRICT, WITHOUT ROWID;
