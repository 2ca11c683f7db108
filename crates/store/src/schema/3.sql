CREATE TABLE bulk (
    -- What was imported to a list as a whole. Its networks are in bulk_part, without those in bulk_gone.
    list TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    until INTEGER,                      -- NULL: without end
    person TEXT NOT NULL,               -- who imported it, with
    reason TEXT NOT NULL,               -- the person's words
    listings INTEGER NOT NULL           -- how many networks the parts have
) STRICT, WITHOUT ROWID;

CREATE TABLE bulk_part (
    -- The networks, packed, in order; `ratter export` shows them.
    list TEXT NOT NULL,
    part INTEGER NOT NULL,              -- from 0 on
    body BLOB NOT NULL,
    PRIMARY KEY (list, part)
) STRICT;

CREATE TABLE bulk_gone (
    -- Networks of the parts that were taken off the list since, or have a row in listing now.
    list TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (list, subject)
) STRICT, WITHOUT ROWID;
