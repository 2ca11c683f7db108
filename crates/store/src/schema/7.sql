-- What past moments of the book are told by, beside the journal. Of each list the bulk in force at a moment is that of
-- the first row here behind it, else that in bulk.
ALTER TABLE journal ADD COLUMN of_bulk INTEGER NOT NULL DEFAULT 0; -- 1: the listing was of the list's bulk
CREATE TABLE bulk_past (
    -- The bulks that were replaced, and by which change; NULL where the list had none.
    serial INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    list TEXT NOT NULL,
    since INTEGER,
    until INTEGER,
    person TEXT,
    reason TEXT,
    listings INTEGER,
    bytes INTEGER NOT NULL              -- what its parts take
) STRICT;
CREATE INDEX bulk_past_list ON bulk_past (list, serial);
CREATE TABLE bulk_past_part (
    serial INTEGER NOT NULL,
    part INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (serial, part)
) STRICT;
CREATE TABLE bulk_past_gone (
    serial INTEGER NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (serial, subject)
) STRICT, WITHOUT ROWID;
-- What was replaced before is in no table: the past begins with the last change there is.
INSERT INTO meta SELECT 'past_serial', serial FROM journal ORDER BY serial DESC LIMIT 1;
INSERT INTO meta SELECT 'past_at', at FROM journal ORDER BY serial DESC LIMIT 1;
